export { createOtlpDecoder, type OtlpDecoderOptions } from './decoder.ts';
export type {
  DecodedMetrics,
  ExemplarRow,
  ExponentialHistogramRow,
  HistogramRow,
  LogRow,
  OtlpDecoder,
  OtlpSignal,
  PointColumns,
  ScanResult,
  SeriesEntry,
  SpanRow,
  SummaryRow,
  TimeBounds,
} from './port.ts';
export { timeBounds } from './time-bounds.ts';
