import { sql } from 'kysely';
import type { RejectedCount } from '../contract/index.ts';
import type { Control, ControlTransaction, RowScope } from './port.ts';

const rowsPerStatement = 500;

/** Adds to the counts of refused data; the detail of the later one stays. */
export async function addRejectedCounts(tx: ControlTransaction, counts: readonly RejectedCount[]): Promise<void> {
  for (let at = 0; at < counts.length; at += rowsPerStatement) {
    await tx
      .insertInto('rejected_counts')
      .values(
        counts.slice(at, at + rowsPerStatement).map(({ tenant, lastAt, ...count }) => ({
          ...count,
          tenant_id: tenant,
          last_at: lastAt,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['tenant_id', 'hour', 'signal', 'reason']).doUpdateSet({
          records: sql<number>`rejected_counts.records + excluded.records`,
          last_at: sql<string>`greatest(rejected_counts.last_at, excluded.last_at)`,
          detail: sql<string>`excluded.detail`,
        }),
      )
      .execute();
  }
}

export async function dropRejectedCounts(tx: ControlTransaction, beforeHour: string): Promise<void> {
  await tx.deleteFrom('rejected_counts').where('hour', '<', beforeHour).execute();
}

/** Where a page of {@link listRejectedCounts} goes on: behind this count. */
export type RejectedPosition = Pick<RejectedCount, 'hour' | 'tenant' | 'signal' | 'reason'>;

/** Counts of hours that begin in `[start, end)`, newest hour first, then by tenant, signal and reason. Row-level security narrows them to the scope. */
export function listRejectedCounts(
  control: Pick<Control, 'read'>,
  scope: RowScope,
  page: {
    readonly start: string;
    readonly end: string;
    readonly limit: number;
    readonly after: RejectedPosition | null;
  },
): Promise<RejectedCount[]> {
  return control.read(scope, async (tx) => {
    let query = tx
      .selectFrom('rejected_counts')
      .selectAll()
      .where('hour', '>=', page.start)
      .where('hour', '<', page.end)
      .orderBy('hour', 'desc')
      .orderBy('tenant_id')
      .orderBy('signal')
      .orderBy('reason')
      .limit(page.limit);
    const { after } = page;
    if (after !== null) {
      query = query.where((where) =>
        where.or([
          where('hour', '<', after.hour),
          where.and([
            where('hour', '=', after.hour),
            where(
              where.refTuple('tenant_id', 'signal', 'reason'),
              '>',
              where.tuple(after.tenant, after.signal, after.reason),
            ),
          ]),
        ]),
      );
    }
    const rows = await query.execute();
    return rows.map((row) => ({
      tenant: row.tenant_id,
      hour: row.hour,
      signal: row.signal,
      reason: row.reason,
      records: Number(row.records),
      lastAt: row.last_at,
      detail: row.detail,
    }));
  });
}
