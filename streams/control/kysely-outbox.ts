import { sql } from 'kysely';
import { DomainEvent } from '../contract/index.ts';
import type { ControlTransaction, Fence, Outbox } from './port.ts';

const dropAtOnce = 10_000;

/** Table `outbox` for the relay. */
export function createOutbox(deps: {
  read<T>(run: (tx: ControlTransaction) => Promise<T>): Promise<T>;
  write<T>(fence: Fence, run: (tx: ControlTransaction) => Promise<T>): Promise<T>;
  onWritten(wake: () => void): () => void;
}): Outbox {
  return {
    waiting: (limit) =>
      deps.read(async (tx) => {
        const rows = await tx
          .selectFrom('outbox')
          .select(['seq', 'document'])
          .where('sent_at', 'is', null)
          .orderBy('seq')
          .limit(limit)
          .execute();
        return rows.map(({ seq, document }) => ({ seq, event: DomainEvent.parse(document) }));
      }),

    backlog: () =>
      deps.read(async (tx) => {
        const row = await tx
          .selectFrom('outbox')
          .select((select) => [select.fn.countAll<string>().as('events'), select.fn.min('at').as('since')])
          .where('sent_at', 'is', null)
          .executeTakeFirstOrThrow();
        return { events: Number(row.events), since: row.since };
      }),

    markSent: (entries, fence) =>
      deps.write(fence, async (tx) => {
        await tx
          .updateTable('outbox')
          .set({ sent_at: sql<string>`clock_timestamp()` })
          .where(
            'seq',
            'in',
            entries.map(({ seq }) => seq),
          )
          .execute();
      }),

    drop: (olderThanDays, fence) =>
      deps.write(fence, async (tx) => {
        const result = await tx
          .deleteFrom('outbox')
          .where('seq', 'in', (from) =>
            from
              .selectFrom('outbox')
              .select('seq')
              .where('sent_at', '<', sql<string>`clock_timestamp() - make_interval(days => ${olderThanDays}::int)`)
              .limit(dropAtOnce),
          )
          .executeTakeFirst();
        return Number(result.numDeletedRows);
      }),

    onWritten: deps.onWritten,
  };
}
