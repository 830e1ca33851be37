import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AppError, invariant } from 'streams/contract';
import { encodeOtlp, type OtlpSignal } from 'streams/otlp';
import type { Clock } from 'streams/runtime';
import { z } from 'zod';
import type { IngestMetrics } from '../acceptance/ingest-metrics.ts';
import type { TelemetryAcceptor } from '../acceptance/telemetry-acceptor.ts';
import { AlertsBody, HealthChecksBody, MetricsBody } from './monitoring-bodies.ts';
import { fromAlerts, fromHealthChecks, fromHealthDetails, fromMetrics } from './to-otlp.ts';

export interface MonitoringRoutesDeps {
  readonly acceptor: TelemetryAcceptor;
  readonly clock: Clock;
  readonly metrics: IngestMetrics;
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
    const route = (summary: string) => ({ tags: ['ingest'], summary, response: { 200: Accepted } });
    app.post(
      '/api/v1/monitoring/health-checks',
      { config: { permission }, schema: { ...route('Take health checks'), body: HealthChecksBody } },
      async (request) => {
        const checks = 'checks' in request.body ? request.body.checks : [request.body];
        // Details first: when the second step fails the sender sends both again, and equal records are one.
        const details = fromHealthDetails(checks);
        if (details !== null) await accept(request, 'logs', details, checks.length, deps);
        return accept(request, 'metrics', fromHealthChecks(checks), checks.length, deps);
      },
    );
    app.post(
      '/api/v1/monitoring/metrics',
      { config: { permission }, schema: { ...route('Take metrics'), body: MetricsBody } },
      async (request) => {
        const metrics = 'metrics' in request.body ? request.body.metrics : [request.body];
        return accept(request, 'metrics', fromMetrics(metrics), metrics.length, deps);
      },
    );
    app.post(
      '/api/v1/monitoring/alerts',
      { config: { permission }, schema: { ...route('Take alerts'), body: AlertsBody } },
      async (request) => {
        const alerts = 'alerts' in request.body ? request.body.alerts : [request.body];
        return accept(request, 'logs', fromAlerts(alerts), alerts.length, deps);
      },
    );
  };
}

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
    throw new AppError('ingest.time_out_of_range', `no record is within the time that is kept: ${reasons}`, {
      status: 400,
    });
  }
  deps.metrics.request(signal, 200);
  return { accepted: sent, ...(rejected.size === 0 ? {} : { rejected: Object.fromEntries(rejected) }) };
}
