import { once } from 'node:events';
import { createServer } from 'node:net';
import {
  experimental,
  status as grpcCodes,
  logVerbosity,
  type Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerUnaryCall,
  type sendUnaryData,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { CallAccess } from 'streams/access';
import { AppError, invariant } from 'streams/contract';
import { exportResponse, type OtlpSignal } from 'streams/otlp';
import {
  type Clock,
  type GatewayListener,
  type ListenAt,
  listenError,
  type Services,
  type TlsSource,
} from 'streams/runtime';
import type { Admission, Ticket } from '../acceptance/admission.ts';
import type { IngestMetrics } from '../acceptance/ingest-metrics.ts';
import { type ProducerNumbers, readProducerNumbers } from '../acceptance/producer-numbers.ts';
import type { Sender, TelemetryAcceptor } from '../acceptance/telemetry-acceptor.ts';
import { type ExportService, exportServices } from './export-services.ts';
import { toGrpcStatus } from './grpc-status.ts';

export interface OtlpGrpcDeps {
  readonly acceptor: TelemetryAcceptor;
  readonly access: CallAccess;
  readonly admission: Admission;
  readonly metrics: IngestMetrics;
  readonly clock: Clock;
  readonly logger: Services['logger'];
  /** Of one message, compressed and decompressed. */
  readonly maxMessageBytes: number;
  readonly maxConcurrentStreams: number;
  /** How long a message may take to arrive. */
  readonly receiveTimeoutMs: number;
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Connections without a call are closed after this. */
  readonly idleMs: number;
  /** How long a drain waits for calls in hand. */
  readonly drainMs: number;
}

/** What is known about a call before its message is read; found again by the metadata object that the handler gets. */
interface AdmittedState {
  readonly sender: Sender;
  readonly ticket: Ticket;
  /** The handler has it now, and gives the ticket back. */
  isTaken: boolean;
}

/**
 * OTLP/gRPC: the three export services. A call is authenticated and admitted before its message is read; OK only for what is durable.
 *
 * *Source* OTLP specification 1.x, "OTLP/gRPC".
 */
export function createOtlpGrpcServer(deps: OtlpGrpcDeps): GatewayListener {
  // It writes to stderr what it also throws or answers.
  setLogVerbosity(logVerbosity.NONE);
  const states = new WeakMap<Metadata, AdmittedState>();
  const server = new Server({
    'grpc.max_receive_message_length': deps.maxMessageBytes,
    'grpc.max_concurrent_streams': deps.maxConcurrentStreams,
    'grpc.keepalive_time_ms': deps.keepaliveMs,
    'grpc.keepalive_timeout_ms': deps.keepaliveTimeoutMs,
    'grpc.max_connection_idle_ms': deps.idleMs,
    // Channelz stays on: without it grpc-js does not know its connections when they are to be cut.
    interceptors: [admitCalls(deps, states)],
  });
  for (const service of exportServices) {
    server.addService(service.definition, {
      Export: (call: ServerUnaryCall<Uint8Array, Uint8Array>, callback: sendUnaryData<Uint8Array>) =>
        void handle(service, call, callback),
    });
  }
  const inHand = new Set<Promise<void>>();

  function handle(
    service: ExportService,
    call: ServerUnaryCall<Uint8Array, Uint8Array>,
    callback: sendUnaryData<Uint8Array>,
  ): void {
    const state = states.get(call.metadata);
    invariant(state, 'a call reaches its handler through the admission');
    const numbers = readProducerNumbers((name) => call.metadata.get(name)[0]);
    const work = exportTelemetry(deps, service.signal, { payload: call.request, numbers }, state, callback).finally(
      () => inHand.delete(work),
    );
    inHand.add(work);
  }

  return {
    address: 'otlpGrpc',
    listen: (at) => bind(server, at),
    async drain() {
      await shutDown(server, deps.drainMs);
      // Calls whose connection was cut are still on their way to the log.
      await Promise.all(inHand);
    },
  };
}

async function exportTelemetry(
  deps: OtlpGrpcDeps,
  signal: OtlpSignal,
  { payload, numbers }: { readonly payload: Uint8Array; readonly numbers: ProducerNumbers | undefined },
  state: AdmittedState,
  callback: sendUnaryData<Uint8Array>,
): Promise<void> {
  const { ticket, sender } = state;
  state.isTaken = true;
  try {
    ticket.received(payload.length);
    const { rejected } = await deps.acceptor.accept(signal, payload, sender, deps.clock.now(), undefined, numbers);
    deps.metrics.request(signal, 200);
    callback(null, exportResponse(signal, 'application/x-protobuf', rejected));
  } catch (error) {
    callback(refuse(deps, signal, error, sender.tenant.id).status);
  } finally {
    ticket.leave();
  }
}

function refuse(deps: OtlpGrpcDeps, signal: OtlpSignal, error: unknown, tenantId: string | undefined) {
  const refusal = toGrpcStatus(error);
  deps.metrics.request(signal, refusal.httpStatus);
  deps.metrics.rejected(signal, refusal.code, 1, tenantId, error);
  if (refusal.httpStatus === 503) deps.logger.error({ err: error, signal }, 'telemetry could not be taken');
  return refusal;
}

/** Lets a call's message be read only when its sender is known and admitted; measures the time it takes and traces the call. */
function admitCalls(deps: OtlpGrpcDeps, states: WeakMap<Metadata, AdmittedState>): ServerInterceptor {
  const tracer = trace.getTracer('pulse.grpc');
  return (method, call) => {
    const service = exportServices.find(({ path }) => path === method.path);
    invariant(service, 'only the export services are served');
    const { signal } = service;
    const span = tracer.startSpan(method.path.slice(1), {
      kind: SpanKind.SERVER,
      attributes: { 'rpc.system': 'grpc', 'rpc.service': service.name, 'rpc.method': 'Export' },
    });
    let state: AdmittedState | undefined;
    let tenantId: string | undefined;
    let isAnswered = false;
    const tooSlow = setTimeout(() => {
      const error = new AppError('ingest.receive_timeout', 'the message did not arrive in time', { status: 408 });
      intercepting.sendStatus(refuse(deps, signal, error, tenantId).status);
    }, deps.receiveTimeoutMs);
    const intercepting = new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, proceed) {
            const admitting = admit(deps, metadata, (known) => {
              tenantId = known;
            });
            admitting.then(
              (admitted) => {
                if (isAnswered) {
                  admitted.ticket.leave();
                  return;
                }
                state = admitted;
                states.set(metadata, admitted);
                proceed(metadata);
              },
              (error) => {
                if (!isAnswered) intercepting.sendStatus(refuse(deps, signal, error, tenantId).status);
              },
            );
          },
          onReceiveHalfClose(proceed) {
            clearTimeout(tooSlow);
            proceed();
          },
          onCancel() {
            clearTimeout(tooSlow);
            if (state?.isTaken === false) state.ticket.leave();
            if (isAnswered) return;
            // Ended below us: cut off by its sender, past its deadline, above the bound, or not decompressible.
            isAnswered = true;
            deps.metrics.rejected(signal, 'ingest.cut_off', 1, tenantId);
            endSpan(span, grpcCodes.CANCELLED);
          },
        });
      },
      sendStatus(status, next) {
        clearTimeout(tooSlow);
        if (!isAnswered) endSpan(span, status.code ?? grpcCodes.UNKNOWN);
        isAnswered = true;
        next(status);
      },
    });
    return intercepting;
  };
}

function endSpan(span: Span, code: number): void {
  span.setAttribute('rpc.grpc.status_code', code);
  if (code === grpcCodes.UNAVAILABLE || code === grpcCodes.INTERNAL) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** The headers that can name a credential or a tenant, as the access check reads them. */
function headersOf(metadata: Metadata): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(metadata.getMap()).map(([name, value]) => [name, typeof value === 'string' ? value : undefined]),
  );
}

async function admit(deps: OtlpGrpcDeps, metadata: Metadata, onTenant: (id: string) => void): Promise<AdmittedState> {
  const sender = await deps.access.admit(headersOf(metadata), { resource: 'telemetry', action: 'write' });
  onTenant(sender.tenant.id);
  // gRPC does not declare a length ahead.
  return { sender, ticket: deps.admission.enter(sender, 0), isTaken: false };
}

async function bind(server: Server, at: ListenAt): Promise<string> {
  const host = at.host.includes(':') ? `[${at.host}]` : at.host;
  const credentials =
    at.tls === null
      ? ServerCredentials.createInsecure()
      : experimental.createCertificateProviderServerCredentials(identityProvider(at.tls), null, false);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${at.port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  }).catch(async (error) => {
    // grpc-js says what went wrong in words only: asking the system again gives the code.
    throw listenError((await listenFault(at)) ?? error, at.host, at.port, at.variable);
  });
  return `${at.tls === null ? 'http' : 'https'}://${host}:${port}`;
}

async function listenFault(at: ListenAt): Promise<unknown> {
  const probe = createServer();
  try {
    probe.listen({ host: at.host, port: at.port });
    await once(probe, 'listening');
    return null;
  } catch (error) {
    return error;
  } finally {
    probe.close();
  }
}

/** Hands the certificate in force, and every later one, to grpc-js. */
function identityProvider(tls: TlsSource): experimental.CertificateProvider {
  const listeners = new Set<experimental.IdentityCertificateUpdateListener>();
  const update = () => ({ certificate: tls.current.cert, privateKey: tls.current.key });
  tls.onChange(() => {
    for (const listener of listeners) listener(update());
  });
  return {
    addCaCertificateListener: () => {},
    removeCaCertificateListener: () => {},
    addIdentityCertificateListener(listener) {
      listeners.add(listener);
      // grpc-js looks for a certificate only after it has registered.
      process.nextTick(() => listener(update()));
    },
    removeIdentityCertificateListener: (listener) => void listeners.delete(listener),
  };
}

/** Sends every connection away and waits for its calls; what is left after `graceMs` is cut. */
function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(cut);
      resolve();
    });
  });
}
