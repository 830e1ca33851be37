import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AppError, invariant, type TenantLimits, type UsageEvent } from 'streams/contract';
import { type Log, type LogMessage, toHeaders } from 'streams/log';
import type { Clock } from 'streams/runtime';
import { z } from 'zod';
import type { Admission } from '../acceptance/admission.ts';
import { admitRequests, withTicket } from '../acceptance/admit-requests.ts';
import type { IngestMetrics } from '../acceptance/ingest-metrics.ts';
import { requirePlainBodies } from '../acceptance/plain-bodies.ts';
import { keeping } from '../acceptance/telemetry-acceptor.ts';
import { refusalReason } from '../acceptance/transport-refusals.ts';
import { refuseExcessAttributes } from './attribute-limits.ts';
import { contentModeOf, fromBinaryMode, readCloudEvents } from './cloud-events.ts';
import { withoutInexactValues } from './exact-json.ts';
import { countByHour } from './hour-counts.ts';
import { numberedRuns } from './numbered-runs.ts';

export interface UsageEventRoutesDeps {
  readonly log: Pick<Log, 'append'>;
  readonly clock: Clock;
  readonly metrics: IngestMetrics;
  readonly admission: Admission;
  readonly limitsOf: (tenantId: string) => TenantLimits;
  readonly maxBodyBytes: number;
}

/** Data of a binary-mode event may be of any JSON media type; other formats of CloudEvents are not JSON and stay refused. */
const anyJson = /^(?!application\/cloudevents)[\w.-]+\/(?:[\w.-]+\+)?json(?:\s*;|$)/i;

/** An absent type, as Fastify names it: the data of a binary-mode event are JSON then. *Source* CloudEvents §3.1.1, datacontenttype. */
const noType = /^\/$/;

/** Bytes that are no UTF-8 would all become the same sign, and two ids one. */
function decodeUtf8(bytes: Uint8Array): string | AppError {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    return new AppError('ingest.event_invalid', '(body): is not UTF-8', { status: 400, field: '(body)', cause });
  }
}

/** Events a record of the log: keeps each record well under the 4 MiB that a topic takes. */
const partBytesMax = 1024 * 1024;

const Accepted = z.object({
  accepted: z.number().int(),
  /** Events that carried no `time`: the time of receipt was taken. */
  withoutTime: z.number().int().optional(),
});

/** `POST /api/v1/plugins/usage-events` and its alias: CloudEvents 1.0 structured, batched and in binary mode. Answers 200 only for what is durable. */
export function usageEventRoutes(deps: UsageEventRoutesDeps): FastifyPluginAsyncZod {
  return async (app) => {
    const parseJson = app.getDefaultJsonParser('error', 'ignore');
    // The application's own parser rounds numbers; within these routes this one stands instead.
    app.removeContentTypeParser('application/json');
    const jsonTypes = [
      ['application/json', 'application/cloudevents+json', 'application/cloudevents-batch+json'],
      anyJson,
      noType,
    ];
    for (const types of jsonTypes) {
      app.addContentTypeParser<Buffer>(
        types,
        { parseAs: 'buffer', bodyLimit: deps.maxBodyBytes },
        (request, bytes, done) => {
          const text = decodeUtf8(bytes);
          if (text instanceof AppError) return done(text);
          parseJson(request, text, (error, body) => done(error, error ? undefined : withoutInexactValues(text, body)));
        },
      );
    }
    requirePlainBodies(app);
    admitRequests(app, deps.admission, deps.maxBodyBytes);
    for (const url of ['/api/v1/plugins/usage-events', '/api/v1/plugins/usage']) {
      app.post(
        url,
        {
          bodyLimit: deps.maxBodyBytes,
          config: { permission: { resource: 'usage_events', action: 'write', tenant: 'credential' } },
          schema: {
            tags: ['ingest'],
            summary: 'Take usage events as CloudEvents 1.0, all or none',
            description:
              'One event or an array; `data` = {"value":"12.5", …attributes}: a decimal string or a whole number up to 2^53. Binary mode takes the attributes from ce- headers.',
            body: z.unknown(),
            response: { 200: Accepted },
          },
        },
        async (request) => {
          const { events, withoutTime } = await withTicket(request, () => take(request, deps));
          return { accepted: events.length, ...(withoutTime > 0 ? { withoutTime } : {}) };
        },
      );
    }
    for (const url of ['/api/v1/plugins/usage-events', '/api/v1/plugins/usage']) {
      // *Source* CloudEvents webhook specification §4: who may send is decided by the key, so any origin may ask and none is limited here.
      app.options(url, { config: { permission: 'public' }, schema: { hide: true } }, async (request, reply) => {
        const origin = request.headers['webhook-request-origin'];
        if (typeof origin === 'string')
          reply.headers({ 'webhook-allowed-origin': origin, 'webhook-allowed-rate': '*' });
        return reply.header('allow', 'POST, OPTIONS').code(204).send();
      });
    }
    app.addHook('onResponse', async (request, reply) => {
      if (request.method === 'POST') deps.metrics.request('events', reply.statusCode);
    });
    app.addHook('onError', async (request, _reply, error) => {
      deps.metrics.rejected('events', refusalReason(error), 1, request.tenant?.id, error);
    });
  };
}

async function take(request: FastifyRequest, deps: UsageEventRoutesDeps) {
  const { tenant, principal } = request;
  invariant(tenant, 'the access check leaves a tenant on a credential route');
  const receivedAtMs = deps.clock.now();
  const mode = contentModeOf(request.headers);
  if (mode === 'batched' && !Array.isArray(request.body)) {
    throw new AppError('ingest.event_invalid', '(body): a batch is an array', { status: 400, field: '(body)' });
  }
  const body = mode === 'binary' ? fromBinaryMode(request.headers, request.body) : request.body;
  const read = readCloudEvents(body, { receivedAtMs, backfill: principal.scopes.includes('backfill') });
  if (read.events.length === 0) return read;
  const limits = deps.limitsOf(tenant.id);
  refuseExcessAttributes(read.events, limits);
  const produced = numberedRuns(read.events, read.numbers);
  const batch = randomUUID();
  const parts = inParts(read.events);
  const messages = parts.map(
    ({ events, payload }, part): LogMessage => ({
      key: tenant.id,
      headers: toHeaders({
        tenant: tenant.id,
        tenantNumber: tenant.number,
        signal: 'events',
        encoding: 'cloudevents',
        receivedAt: receivedAtMs,
        credential: principal.id,
        batch,
        part,
        parts: parts.length,
        counts: countByHour(events),
        ...(part === 0 && produced.length > 0 ? { produced } : {}),
        ...keeping(limits, 'events', principal),
      }),
      payload,
    }),
  );
  const bytes = messages.reduce((sum, message) => sum + message.payload.length, 0);
  deps.admission.charge({ tenant, principal }, read.events.length, bytes);
  await deps.log.append('telemetry', messages);
  deps.metrics.accepted('events', read.events.length, bytes);
  return read;
}

interface Part {
  readonly events: readonly UsageEvent[];
  readonly payload: Uint8Array;
}

/** Splits events, in order, so that each part's JSON stays under the limit; one event is at most the request's own limit. */
function inParts(events: readonly UsageEvent[]): Part[] {
  const payload = Buffer.from(JSON.stringify(events));
  if (payload.length <= partBytesMax || events.length === 1) return [{ events, payload }];
  const middle = Math.ceil(events.length / 2);
  return [...inParts(events.slice(0, middle)), ...inParts(events.slice(middle))];
}
