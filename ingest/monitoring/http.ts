import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AppError, invariant } from 'streams/contract';
import { encodeOtlp, type OtlpSignal } from 'streams/otlp';
import type { Clock } from 'streams/runtime';
import { z } from 'zod';
import type { Admission } from '../acceptance/admission.ts';
import { admitRequests, withTicket } from '../acceptance/admit-requests.ts';
import type { IngestMetrics } from '../acceptance/ingest-metrics.ts';
import { requirePlainBodies } from '../acceptance/plain-bodies.ts';
import type { TelemetryAcceptor } from '../acceptance/telemetry-acceptor.ts';
import { refusalReason } from '../acceptance/transport-refusals.ts';
import { AlertsBody, HealthChecksBody, MetricsBody } from './monitoring-bodies.ts';
import { fromAlerts, fromHealthChecks, fromHealthDetails, fromMetrics } from './to-otlp.ts';

export interface MonitoringRoutesDeps {
  readonly acceptor: TelemetryAcceptor;
  readonly clock: Clock;
  readonly metrics: IngestMetrics;
  readonly admission: Admission;
  readonly maxBodyBytes: number;
}

const Accepted = z.object({
  accepted: z.number().int(),
  /** Records outside the time that is kept, by reason. */
  rejected: z.record(z.string(), z.number().int()).optional(),
});

const permission = { resource: 'monitoring', action: 'write', tenant: 'credential' } as const;

/** `POST /api/v1/monitoring/health-checks|metrics|alerts` for containers without OpenTelemetry: translated to OTLP, then the same way as OTLP. */
export function monitoringRoutes(deps: MonitoringRoutesDeps): FastifyPluginAsyncZod {
  return async (app) => {
    requirePlainBodies(app);
    admitRequests(app, deps.admission, deps.maxBodyBytes);
    app.addHook('onError', async (request, _reply, error) => {
      const code = refusalReason(error);
      if (countedByRecord.has(code)) return;
      const signal = request.routeOptions.url?.endsWith('/alerts') === true ? 'logs' : 'metrics';
      deps.metrics.rejected(signal, code, 1, request.tenant?.id, error);
    });
    const route = (summary: string) => ({ tags: ['ingest'], summary, response: { 200: Accepted } });
    app.post(
      '/api/v1/monitoring/health-checks',
      { config: { permission }, schema: { ...route('Take health checks'), body: HealthChecksBody } },
      async (request) => {
        const checks = 'checks' in request.body ? request.body.checks : [request.body];
        return withTicket(request, async () => {
          // Details first: when the second step fails the sender sends both again, and equal records are one.
          const details = fromHealthDetails(checks);
          if (details !== null) await accept(request, 'logs', details, checks.length, deps);
          return accept(request, 'metrics', fromHealthChecks(checks), checks.length, deps);
        });
      },
    );
    app.post(
      '/api/v1/monitoring/metrics',
      { config: { permission }, schema: { ...route('Take metrics'), body: MetricsBody } },
      async (request) => {
        const metrics = 'metrics' in request.body ? request.body.metrics : [request.body];
        return withTicket(request, () => accept(request, 'metrics', fromMetrics(metrics), metrics.length, deps));
      },
    );
    app.post(
      '/api/v1/monitoring/alerts',
      { config: { permission }, schema: { ...route('Take alerts'), body: AlertsBody } },
      async (request) => {
        const alerts = 'alerts' in request.body ? request.body.alerts : [request.body];
        return withTicket(request, () => accept(request, 'logs', fromAlerts(alerts), alerts.length, deps));
      },
    );
  };
}

const timeReasons: ReadonlySet<string> = new Set(['no_time', 'too_old', 'too_far_ahead']);
/** Their records are counted one by one already. */
const countedByRecord: ReadonlySet<string> = new Set(['ingest.time_out_of_range', 'ingest.records_refused']);

async function accept(
  request: FastifyRequest,
  signal: OtlpSignal,
  message: object,
  sent: number,
  deps: MonitoringRoutesDeps,
) {
  const { tenant, principal } = request;
  invariant(tenant, 'the access check leaves a tenant on a credential route');
  const payload = encodeOtlp(signal, message);
  const { records, rejected } = await deps.acceptor.accept(signal, payload, { tenant, principal }, deps.clock.now());
  if (records === 0 && rejected.size > 0) {
    const reasons = [...rejected].map(([reason, count]) => `${count} ${reason}`).join(', ');
    if ([...rejected.keys()].every((reason) => timeReasons.has(reason))) {
      throw new AppError('ingest.time_out_of_range', `no record is within the time that is kept: ${reasons}`, {
        status: 400,
      });
    }
    throw new AppError('ingest.records_refused', `no record was taken: ${reasons}`, { status: 400 });
  }
  deps.metrics.request(signal, 200);
  // A check is two records when it carries a latency: what is left is a lower bound then.
  const lost = [...rejected.values()].reduce((sum, count) => sum + count, 0);
  return {
    accepted: Math.max(0, sent - lost),
    ...(rejected.size === 0 ? {} : { rejected: Object.fromEntries(rejected) }),
  };
}
