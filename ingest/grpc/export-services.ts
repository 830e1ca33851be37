import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import type { OtlpSignal } from 'streams/otlp';

/** The bytes of a message pass as they are: our own decoder reads them, nothing builds objects on the way. */
const asBytes = (message: Uint8Array): Buffer => Buffer.from(message.buffer, message.byteOffset, message.byteLength);

const serviceNames: Readonly<Record<OtlpSignal, string>> = {
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
};

export interface ExportService {
  readonly signal: OtlpSignal;
  /** `opentelemetry.proto.collector.….v1.…Service`. */
  readonly name: string;
  readonly path: string;
  readonly definition: ServiceDefinition;
}

/** The three services with their one unary method `Export`. *Source* opentelemetry-proto, collector/…/v1/…_service.proto. */
export const exportServices: readonly ExportService[] = (['metrics', 'traces', 'logs'] as const).map((signal) => {
  const name = serviceNames[signal];
  const path = `/${name}/Export`;
  const method: MethodDefinition<Uint8Array, Uint8Array> = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asBytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: asBytes,
    responseDeserialize: (bytes) => bytes,
    originalName: 'export',
  };
  return { signal, name, path, definition: { Export: method } };
});
