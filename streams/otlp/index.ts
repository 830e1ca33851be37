export { type CounterPoint, type CounterStep, type CounterStepKind, counterSteps, gapMs } from './counter-steps.ts';
export { createOtlpDecoder, type OtlpDecoderOptions } from './decoder.ts';
export { filterOtlp } from './filter.ts';
export { encodeOtlp, otlpJsonToProtobuf } from './json.ts';
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
  ScanRules,
  SeriesEntry,
  SeriesGate,
  SpanRow,
  SummaryRow,
  TimeBounds,
} from './port.ts';
export {
  type EarlierBody,
  type RemoteWriteCounts,
  type RemoteWriteReason,
  type RemoteWriteTranslation,
  type RemoteWriteVersion,
  translateRemoteWrite,
} from './remote-write/index.ts';
export {
  contentTypeOf,
  exportResponse,
  grpcCodeOf,
  type OtlpContentType,
  type StatusHints,
  statusBody,
} from './responses.ts';
export { scanOtlp } from './scan.ts';
export { splitOtlp } from './split.ts';
export { type RejectReason, timeBounds } from './time-bounds.ts';
