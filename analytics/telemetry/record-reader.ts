import { AppError } from 'streams/contract';
import type { z } from 'zod';
import { deadLettersQuery, traceQuery } from './queries.ts';
import type { BoundedReader } from './query-gate.ts';
import { type DeadLetterPage, fromCursor, idOf, isoOfNanos, type Trace, toCursor, withScope } from './records.ts';
import { inTreeOrder } from './span-tree.ts';

const spansMax = 10_000;
const maxUint64 = '18446744073709551615';
const digits = /^\d{1,20}$/;

/** Names a tenant by its engine number; null when it is not known. */
export type TenantIdOf = (number: number) => z.infer<typeof Trace>['spans'][number]['tenant'];

/** Whose rows a reader sees: one tenant, or all of them (operator only). */
export type Scope = { readonly number: number } | 'all';

const scopeParams = (scope: Scope) =>
  scope === 'all' ? { tenant: 0, allTenants: 1 } : { tenant: scope.number, allTenants: 0 };

/** Every span of a trace that the scope may see. *Errors* `telemetry.trace_id_invalid` (400), `telemetry.trace_not_found` (404, also for a foreign trace). */
export async function readTrace(
  reader: BoundedReader,
  scope: Scope,
  tenantIdOf: TenantIdOf,
  traceId: string,
): Promise<z.infer<typeof Trace>> {
  if (!/^[0-9a-fA-F]{32}$/.test(traceId)) {
    throw new AppError('telemetry.trace_id_invalid', 'a trace id is 32 hexadecimal digits', {
      status: 400,
      field: 'traceId',
    });
  }
  const rows = await reader.query(traceQuery, { traceId, ...scopeParams(scope), limit: spansMax + 1 });
  if (rows.length === 0) {
    throw new AppError('telemetry.trace_not_found', 'no span of this trace is stored', {
      status: 404,
      field: 'traceId',
    });
  }
  return {
    traceId: traceId.toLowerCase(),
    truncated: rows.length > spansMax,
    spans: inTreeOrder(rows.slice(0, spansMax)).map(({ tenantNumber, nanos, events, links, ...span }) => ({
      ...withScope(span),
      tenant: tenantIdOf(tenantNumber),
      start: isoOfNanos(nanos),
      spanId: idOf(span.spanId),
      parentSpanId: idOf(span.parentSpanId),
      events: events.map(([name, timeUnixNano, attributes, droppedAttributes]) => ({
        name,
        timeUnixNano,
        attributes,
        droppedAttributes,
      })),
      links: links.map(([linkedTrace, spanId, attributes, traceState, flags, droppedAttributes]) => ({
        traceId: linkedTrace,
        spanId,
        attributes,
        traceState,
        flags,
        droppedAttributes,
      })),
    })),
  };
}

/** Records that could not be stored, newest first. *Errors* `telemetry.cursor_invalid` (400). */
export async function readDeadLetters(
  reader: BoundedReader,
  scope: Scope,
  tenantIdOf: TenantIdOf,
  page: { limit: number; cursor?: string | undefined },
): Promise<z.infer<typeof DeadLetterPage>> {
  const [atMs = '4102444800000', partition = '4294967295', beforeOffset = maxUint64] =
    page.cursor === undefined ? [] : fromCursor(page.cursor, [/^\d{1,15}$/, /^\d{1,9}$/, digits]);
  const rows = await reader.query(deadLettersQuery, {
    ...scopeParams(scope),
    beforeMs: Number(atMs),
    beforePartition: Number(partition),
    beforeOffset,
    limit: page.limit + 1,
  });
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    items: shown.map((row) => ({
      tenant: tenantIdOf(row.tenantNumber),
      at: new Date(row.atMs).toISOString(),
      topic: row.topic,
      partition: row.part,
      offset: row.off,
      code: row.code,
      detail: row.detail,
      envelope: row.envelope,
      payloadBytes: row.payloadBytes,
    })),
    nextCursor:
      rows.length > page.limit && last !== undefined
        ? toCursor([String(last.atMs), String(last.part), last.off])
        : null,
  };
}
