import {
  type ChannelCredentials,
  type ChannelOptions,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';

const services = {
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
} as const;

export interface GrpcAnswer {
  readonly code: number;
  readonly message: string;
  /** `grpc-status-details-bin`, empty when none came. */
  readonly details: Buffer;
  readonly body: Buffer;
}

export interface GrpcCall {
  readonly signal?: keyof typeof services;
  readonly key?: string;
  readonly gzip?: boolean;
  readonly deadlineMs?: number;
  readonly tls?: ChannelCredentials;
  readonly channel?: ChannelOptions;
}

/** One unary Export with the given bytes as its message, as a client of any language makes it. */
export function exportByGrpc(url: string, message: Uint8Array, call: GrpcCall = {}): Promise<GrpcAnswer> {
  const name = services[call.signal ?? 'metrics'];
  const asBytes = (bytes: Uint8Array) => Buffer.from(bytes);
  const Constructor = makeGenericClientConstructor(
    {
      Export: {
        path: `/${name}/Export`,
        requestStream: false,
        responseStream: false,
        requestSerialize: asBytes,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: asBytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    name,
  );
  const client = new Constructor(new URL(url).host, call.tls ?? credentials.createInsecure(), {
    // A certificate is checked by name, and 127.0.0.1 is none.
    ...(call.tls === undefined ? {} : { 'grpc.ssl_target_name_override': 'localhost' }),
    ...(call.gzip === true ? { 'grpc.default_compression_algorithm': 2 } : {}),
    ...call.channel,
  });
  const metadata = new Metadata();
  if (call.key !== undefined) metadata.set('authorization', `Bearer ${call.key}`);
  return new Promise((resolve) => {
    client['Export']?.(
      message,
      metadata,
      { deadline: Date.now() + (call.deadlineMs ?? 20_000) },
      (error: ServiceError | null, body?: Buffer) => {
        client.close();
        const details = error?.metadata?.get('grpc-status-details-bin')[0];
        resolve({
          code: error?.code ?? 0,
          message: error?.details ?? '',
          details: details instanceof Buffer ? details : Buffer.alloc(0),
          body: body ?? Buffer.alloc(0),
        });
      },
    );
  });
}
