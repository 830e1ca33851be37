import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AppError, PageQuery, pageOf, RejectedCount, TelemetryRange } from 'streams/contract';
import { type Control, listRejectedCounts, type RejectedPosition } from 'streams/control';
import { z } from 'zod';

const Query = PageQuery.extend(TelemetryRange.shape);
/** Without `start`: counts are by the hour, so a day says something. */
const defaultRangeMs = 24 * 3_600_000;

const Cursor = z.tuple([z.iso.datetime(), z.string(), z.string(), z.string()]);

const toCursor = (row: RejectedCount): string =>
  Buffer.from(JSON.stringify([row.hour, row.tenant, row.signal, row.reason])).toString('base64url');

function fromCursor(cursor: string): RejectedPosition {
  try {
    const [hour, tenant, signal, reason] = Cursor.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    return { hour, tenant, signal, reason };
  } catch (cause) {
    throw new AppError('ingest.cursor_invalid', 'the cursor is not one that this list gave out', {
      status: 400,
      field: 'cursor',
      cause,
    });
  }
}

/** `GET /api/v1/telemetry/rejected`: what was turned away and why, hours that begin in `[start, end)`, by default the last day, newest first; the operator who names no tenant reads all. */
export function rejectedRoutes(control: Pick<Control, 'read'>, clock: { now(): number }): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/api/v1/telemetry/rejected',
      {
        config: { permission: { resource: 'telemetry', action: 'read', tenant: 'query' } },
        schema: {
          tags: ['telemetry'],
          summary: 'Data that was turned away, by hour of receipt, signal and reason; by default of the last day',
          querystring: Query,
          response: { 200: pageOf(RejectedCount) },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const endMs = request.query.end === undefined ? clock.now() : Date.parse(request.query.end);
        const startMs = request.query.start === undefined ? endMs - defaultRangeMs : Date.parse(request.query.start);
        if (startMs >= endMs) {
          throw new AppError('ingest.range_invalid', 'start must be before end', { status: 400, field: 'end' });
        }
        const [start, end] = [new Date(startMs).toISOString(), new Date(endMs).toISOString()];
        const after = cursor === undefined ? null : fromCursor(cursor);
        const found = await listRejectedCounts(control, request.rowScope, { start, end, limit: limit + 1, after });
        const items = found.slice(0, limit);
        const last = items.at(-1);
        return { items, nextCursor: found.length > limit && last !== undefined ? toCursor(last) : null };
      },
    );
  };
}
