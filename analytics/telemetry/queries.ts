import { defineQuery } from 'streams/store';
import { z } from 'zod';

const sql = (name: string): URL => new URL(`./sql/${name}.sql`, import.meta.url);
const tenant = z.number().int();
const ms = z.number().int();
const count = z.number();

/** See `sql/counts.sql`. */
export const countsQuery = defineQuery({
  file: sql('counts'),
  params: z.object({ tenant, start: ms, end: ms }),
  row: z.object({ points: count, spans: count, logRecords: count, usageEvents: count }),
});

const attributes = z.record(z.string(), z.string());
const scope = {
  scopeName: z.string(),
  scopeVersion: z.string(),
  scopeAttributes: attributes,
  scopeSchemaUrl: z.string(),
  resourceSchemaUrl: z.string(),
};

/** See `sql/trace.sql`. */
export const traceQuery = defineQuery({
  file: sql('trace'),
  params: z.object({ traceId: z.string(), tenant, allTenants: z.number(), limit: z.number() }),
  row: z.object({
    tenantNumber: z.number(),
    spanId: z.string(),
    parentSpanId: z.string(),
    name: z.string(),
    kind: z.string(),
    service: z.string(),
    nanos: z.string(),
    durationNanos: z.string(),
    statusCode: z.string(),
    statusMessage: z.string(),
    attributes,
    resource: attributes,
    flags: count,
    traceState: z.string(),
    ...scope,
    droppedAttributes: count,
    droppedEvents: count,
    droppedLinks: count,
    events: z.array(z.tuple([z.string(), z.string(), attributes, count])),
    links: z.array(z.tuple([z.string(), z.string(), attributes, z.string(), count, count])),
  }),
});

const texts = z.array(z.string());
const conditions = { names: texts, operators: texts, values: texts };

/** See `sql/logs.sql`. */
export const logsQuery = defineQuery({
  file: sql('logs'),
  params: z.object({
    tenant,
    start: ms,
    end: ms,
    query: z.string(),
    service: z.string(),
    traceId: z.string(),
    severity: z.number().int(),
    severities: texts,
    ...conditions,
    beforeNanos: z.string(),
    beforeHash: z.string(),
    limit: z.number(),
  }),
  row: z.object({
    nanos: z.string(),
    severityText: z.string(),
    severityNumber: z.number(),
    service: z.string(),
    body: z.string(),
    traceId: z.string(),
    spanId: z.string(),
    attributes,
    resource: attributes,
    flags: count,
    eventName: z.string(),
    droppedAttributes: count,
    ...scope,
    observedNanos: z.string(),
    identity: z.string(),
  }),
});

const tokenMark = '1 /* tokens */';
const withTokens = new Map<number, typeof logsQuery>();

/** The log search with so many whole words of the body, as parameters `token0`, `token1`, …: only a constant word in `hasToken` lets the engine use its index. */
export function logsQueryOf(tokens: number): typeof logsQuery {
  const known = withTokens.get(tokens);
  if (known !== undefined) return known;
  const names = Array.from({ length: tokens }, (_, i) => `token${i}`);
  const made = {
    ...logsQuery,
    sql:
      tokens === 0
        ? logsQuery.sql
        : logsQuery.sql.replace(
            tokenMark,
            names.map((name) => `hasToken(lower(Body), {${name}:String})`).join(' AND '),
          ),
    params: (logsQuery.params as unknown as z.ZodObject<z.ZodRawShape>).extend(
      Object.fromEntries(names.map((name) => [name, z.string()])),
    ) as unknown as typeof logsQuery.params,
  };
  withTokens.set(tokens, made);
  return made;
}

/** See `sql/services.sql`. */
export const servicesQuery = defineQuery({
  file: sql('services'),
  params: z.object({ tenant, start: ms, end: ms, after: z.string(), first: z.number(), limit: z.number() }),
  row: z.object({ service: z.string(), spans: count, logRecords: count }),
});

/** See `sql/trace_search.sql`. */
export const traceSearchQuery = defineQuery({
  file: sql('trace_search'),
  params: z.object({
    tenant,
    start: ms,
    end: ms,
    service: z.string(),
    operation: z.string(),
    status: z.string(),
    errorStatus: z.string(),
    minDuration: z.string(),
    maxDuration: z.string(),
    query: z.string(),
    ...conditions,
    beforeNanos: z.string(),
    beforeTrace: z.string(),
    limit: z.number(),
  }),
  row: z.object({
    traceId: z.string(),
    newestNanos: z.string(),
    start: z.string(),
    durationNanos: z.string(),
    spans: count,
    errors: count,
    matched: count,
    services: z.array(z.string()),
    rootName: z.string(),
    rootService: z.string(),
  }),
});

/** See `sql/dead_letters.sql`. */
export const deadLettersQuery = defineQuery({
  file: sql('dead_letters'),
  params: z.object({
    tenant,
    allTenants: z.number(),
    beforeMs: ms,
    beforePartition: z.number(),
    beforeOffset: z.string(),
    limit: z.number(),
  }),
  row: z.object({
    tenantNumber: z.number(),
    atMs: ms,
    topic: z.string(),
    part: z.number(),
    off: z.string(),
    code: z.string(),
    detail: z.string(),
    envelope: z.string(),
    payloadBytes: z.number(),
  }),
});
