import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { AppError, invariant, type TenantLimits, type TenantRecord } from 'streams/contract';
import {
  type RemoteWriteCounts,
  type RemoteWriteTranslation,
  type RemoteWriteVersion,
  timeBounds,
  translateRemoteWrite,
} from 'streams/otlp';
import { answerError, type Clock } from 'streams/runtime';
import type { Admission } from '../acceptance/admission.ts';
import { admitRequests, withTicket } from '../acceptance/admit-requests.ts';
import type { IngestMetrics } from '../acceptance/ingest-metrics.ts';
import type { Acceptance, TelemetryAcceptor } from '../acceptance/telemetry-acceptor.ts';
import { transportRefusal } from '../acceptance/transport-refusals.ts';
import { negotiateVersion, requireSnappy } from './content-type.ts';
import { RecentBodies } from './recent-bodies.ts';
import { uncompressBlock } from './snappy-block.ts';

export interface RemoteWriteRoutesDeps {
  readonly acceptor: TelemetryAcceptor;
  readonly metrics: IngestMetrics;
  readonly admission: Admission;
  readonly clock: Clock;
  /** How long the tenant keeps metrics: what is older is refused here, sample by sample. */
  readonly limitsOf: (tenantId: string) => TenantLimits;
  readonly maxBodyBytes: number;
  readonly maxDecompressedBytes: number;
}

const recentBytesMax = 32 * 1024 * 1024;
const nothing: RemoteWriteCounts = { samples: 0, histograms: 0, exemplars: 0 };

/**
 * Prometheus remote-write 1.0 and 2.0: `POST /api/v1/write`. Answers 204 only when everything sent is durable; what is invalid is left out and answered 400 with the rest durable, because senders never repeat a 400.
 *
 * *Source* Prometheus Remote-Write 1.0 and 2.0-rc.4.
 */
export function remoteWriteRoutes(deps: RemoteWriteRoutesDeps): FastifyPluginAsync {
  const recent = new RecentBodies(recentBytesMax);
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: deps.maxBodyBytes }, (_request, body, done) =>
      done(null, body),
    );
    admitRequests(app, deps.admission, deps.maxBodyBytes);
    app.post(
      '/api/v1/write',
      {
        bodyLimit: deps.maxBodyBytes,
        config: { permission: { resource: 'telemetry', action: 'write', tenant: 'credential' } },
        schema: {
          tags: ['ingest'],
          summary: 'Take samples by Prometheus remote-write 1.0 or 2.0 (snappy, protobuf)',
          description:
            'Content types `application/x-protobuf` (1.0) and `application/x-protobuf;proto=io.prometheus.write.v2.Request` (2.0). 204: everything is durable. 400 `remote_write.partial`: what is not named in `detail` is durable.',
        } as object,
        errorHandler: (error, request, reply) => answerRefusal(error, request, reply, deps.metrics),
      },
      async (request, reply) => {
        const version = negotiateVersion(request.headers['content-type']);
        requireSnappy(request.headers['content-encoding']);
        const { written, refusal } = await take(request, version, deps, recent);
        if (version === '2.0') setWritten(reply, written);
        if (refusal !== null) throw refusal;
        deps.metrics.request('metrics', 204);
        return reply.code(204).send();
      },
    );
  };
}

interface Taken {
  readonly written: RemoteWriteCounts;
  readonly refusal: AppError | null;
}

async function take(
  request: FastifyRequest,
  version: RemoteWriteVersion,
  deps: RemoteWriteRoutesDeps,
  recent: RecentBodies,
): Promise<Taken> {
  const { tenant, principal } = request;
  invariant(tenant, 'the access check leaves a tenant on a credential route');
  const receivedAtMs = deps.clock.now();
  const sent = request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
  return withTicket(request, async (ticket) => {
    ticket.received(sent.length);
    const bytes = await uncompressBlock(sent, deps.maxDecompressedBytes);
    ticket.hold(bytes.length);
    const translation = translateRemoteWrite(bytes, {
      version,
      bounds: timeBounds(receivedAtMs, deps.limitsOf(tenant.id).retentionDays.metrics),
      maxBytes: deps.maxDecompressedBytes,
      earlier: recent.of(tenant.id),
    });
    refuseForeignTenants(translation.tenantIds, tenant);
    ticket.hold(translation.payload.length);
    const acceptance = await deps.acceptor.accept('metrics', translation.payload, { tenant, principal }, receivedAtMs);
    recent.keep(tenant.id, { version, bytes }, translation.sent.exemplars > 0);
    for (const [reason, count] of translation.rejected) deps.metrics.rejected('metrics', reason, count, tenant.id);
    return outcome(version, translation, acceptance);
  });
}

/** The credential decides the tenant: a label that names another one refuses the whole request. */
function refuseForeignTenants(named: readonly string[], tenant: TenantRecord): void {
  if (named.every((id) => id === tenant.id)) return;
  throw new AppError(
    'ingest.tenant_mismatch',
    'a label dotmac_tenant_id names another tenant than the credential belongs to',
    { status: 403, field: 'labels["dotmac_tenant_id"]' },
  );
}

/** What was written, and the refusal if anything was not. Exemplars are outside 1.0: there they fail nothing. */
function outcome(version: RemoteWriteVersion, translation: RemoteWriteTranslation, acceptance: Acceptance): Taken {
  const written = afterLimits(translation.written, acceptance.rejected);
  const { sent } = translation;
  const reasons = new Map<string, number>([...translation.rejected, ...acceptance.rejected]);
  const isWhole =
    version === '1.0' ? written.samples === sent.samples && written.histograms === sent.histograms : reasons.size === 0;
  if (isWhole) return { written, refusal: null };
  const counts = `${written.samples} of ${sent.samples} samples, ${written.histograms} of ${sent.histograms} histograms and ${written.exemplars} of ${sent.exemplars} exemplars were written`;
  const why = [...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ');
  const detail = [`${counts}; not written: ${why}`, ...translation.details].join('; ');
  return {
    written,
    refusal: new AppError('remote_write.partial', detail, {
      status: 400,
      context: { written, rejected: Object.fromEntries(reasons) },
    }),
  };
}

/** What the tenant's limits cut off is told by reason, not by element: samples are taken to be cut before histograms. */
function afterLimits(written: RemoteWriteCounts, cut: ReadonlyMap<string, number>): RemoteWriteCounts {
  const lost = [...cut.values()].reduce((sum, count) => sum + count, 0);
  const samples = Math.max(0, written.samples - lost);
  const histograms = Math.max(0, written.histograms - (lost - (written.samples - samples)));
  return { ...written, samples, histograms };
}

function setWritten(reply: FastifyReply, written: RemoteWriteCounts): void {
  reply.header('x-prometheus-remote-write-samples-written', written.samples);
  reply.header('x-prometheus-remote-write-histograms-written', written.histograms);
  reply.header('x-prometheus-remote-write-exemplars-written', written.exemplars);
}

/** A fault of ours is 503, never 500, with Retry-After: nothing may be assumed stored, and senders come again. */
function toRefusal(error: unknown): AppError {
  if (error instanceof AppError && error.status < 500) return error;
  if (error instanceof AppError && error.status === 503) {
    return error.retryAfterSeconds === undefined ? unavailable(error, error.code, error.message) : error;
  }
  return (
    transportRefusal(error) ?? unavailable(error, 'ingest.unavailable', 'the request could not be taken: send it again')
  );
}

function unavailable(cause: unknown, code: string, message: string): AppError {
  return new AppError(code, message, { status: 503, retryable: true, retryAfterSeconds: 1, cause });
}

function answerRefusal(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  metrics: IngestMetrics,
): FastifyReply {
  const refusal = toRefusal(error);
  metrics.request('metrics', refusal.status);
  // The elements of a partial write are counted by their own reasons.
  if (refusal.code !== 'remote_write.partial') {
    metrics.rejected('metrics', refusal.code, 1, request.tenant?.id, refusal);
  }
  if (isVersion2(request) && !reply.hasHeader('x-prometheus-remote-write-samples-written')) setWritten(reply, nothing);
  return answerError(refusal, request, reply);
}

function isVersion2(request: FastifyRequest): boolean {
  return request.headers['content-type']?.includes('io.prometheus.write.v2.Request') === true;
}
