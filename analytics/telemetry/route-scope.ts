import type { FastifyRequest } from 'fastify';
import type { TenantDirectory } from 'streams/access';
import { AppError, PageQuery, TelemetryRange, TenantId } from 'streams/contract';
import type { Store } from 'streams/store';
import { z } from 'zod';
import type { SelectionReader } from './metric-selection.ts';
import { type BoundedReader, createBoundedReader, type QueryGate } from './query-gate.ts';
import type { Scope } from './record-reader.ts';
import type { RollUpWatermark } from './roll-up-watermark.ts';

/** What the routes of the read side share. */
export interface ReadDependencies {
  readonly store: Store;
  readonly tenants: TenantDirectory;
  readonly clock: { now(): number };
  readonly gate: QueryGate;
  readonly selections: SelectionReader;
  readonly watermark: RollUpWatermark;
}

export const permission = { resource: 'telemetry', action: 'read', tenant: 'query' } as const;
export const tags = ['telemetry'];
export const TenantQuery = z.object({ tenant: TenantId.optional() });

/** A page of a list whose cursors carry names: longer than those of others. */
export const ListQuery = PageQuery.extend({ tenant: TenantId.optional(), cursor: z.string().max(2_000).optional() });
export const RangeListQuery = TelemetryRange.extend({
  limit: ListQuery.shape.limit,
  cursor: ListQuery.shape.cursor,
});

/** The engine number of the tenant that is read. *Errors* `telemetry.tenant_required` (400): the operator named none. */
export function tenantNumber(request: FastifyRequest): number {
  if (request.tenant === null) {
    throw new AppError('telemetry.tenant_required', 'name the tenant to read: ?tenant=', {
      status: 400,
      field: 'tenant',
    });
  }
  return request.tenant.number;
}

/** One tenant's rows, or all rows for the operator who named no tenant. */
export function scopeOf(request: FastifyRequest): Scope {
  if (request.tenant === null && request.principal.role === 'operator') return 'all';
  return { number: tenantNumber(request) };
}

/** Reads of all tenants stand in a line of their own. */
const lineOf = (scope: Scope): number => (scope === 'all' ? 0 : scope.number);

/** Runs a read when its turn comes. *Errors* `telemetry.too_many_queries` (429). */
export async function inTurn<R>(
  deps: ReadDependencies,
  scope: Scope,
  narrow: string,
  read: (reader: BoundedReader) => Promise<R>,
): Promise<R> {
  const leave = await deps.gate.enter(lineOf(scope), 'query');
  try {
    return await read(createBoundedReader(deps.store, narrow));
  } finally {
    leave();
  }
}

/** Runs a read that streams when its turn comes; gives its place back when the stream ends or its reader goes away. */
export async function* streamInTurn<R>(
  deps: ReadDependencies,
  scope: Scope,
  narrow: string,
  read: (reader: BoundedReader) => AsyncIterable<R>,
): AsyncGenerator<R> {
  const leave = await deps.gate.enter(lineOf(scope), 'stream');
  try {
    yield* read(createBoundedReader(deps.store, narrow));
  } finally {
    leave();
  }
}
