import type { Control } from 'streams/control';
import { knownBelow, type Rebuilder, type ReplayTable } from 'streams/replay';
import { createClickHouseMeteringStore } from './clickhouse-metering-store.ts';
import { parseKnownAt } from './known-at.ts';
import { runMetering } from './metering-job.ts';

const grain = 'tenant, meter, subject, bucket';
/** Empty buckets are no facts for whoever reads: whether one was written depends on how often the job ran. */
const isFact = '(value, seconds, events) != (toDecimal128(0, 12), toUInt32(0), toUInt64(0))';

const newestOf = (source: string, scope: string, below: string) =>
  `SELECT ${grain}, argMax((value, seconds, events), version) AS newest, any(partition) AS part, max(version) AS top FROM ${source} WHERE ${scope} AND version < ${below} GROUP BY ${grain}`;

/**
 * Billing facts in a replay: what each bucket says at a cut-off, as invoices read it. Versions are left out, because when the job ran decides which of them were written.
 *
 * *Shape* nothing is removed or rewritten: a bucket that has lost its fact gets it back under its version, and one that differs gets a newer fact, known from the last position below the cut-off on.
 */
export const factsTable: ReplayTable = {
  name: 'billing_facts',
  time: 'bucket',
  partition: 'month',
  swap: 'append',
  except: {
    version: 'when metering ran decides how many versions of a bucket were written',
    partition: 'follows from the tenant',
  },
  knownRows: (source, scope, knownAt) =>
    `SELECT tenant, meter, subject, bucket AS at, newest.1 AS value, newest.2 AS seconds, newest.3 AS events FROM (${newestOf(source, scope, knownBelow(knownAt))}) WHERE ${isFact.replace('value, seconds, events', 'newest.1, newest.2, newest.3')}`,
  append: (shadow, scope, knownAt) => {
    const below = knownBelow(knownAt);
    return `INSERT INTO billing_facts (${grain}, value, seconds, events, partition, version)
SELECT ${grain}, toDecimal128(rebuilt.1, 12), toUInt32(rebuilt.2), toUInt64(rebuilt.3), partition, if(rebuiltTop > liveTop, rebuiltTop, ${below} - 1)
FROM (
  SELECT ${grain}, max(part) AS partition, maxIf(top, fresh) AS rebuiltTop, maxIf(top, NOT fresh) AS liveTop,
    (sumIf(newest.1, fresh), sumIf(newest.2, fresh), sumIf(newest.3, fresh)) AS rebuilt, (sumIf(newest.1, NOT fresh), sumIf(newest.2, NOT fresh), sumIf(newest.3, NOT fresh)) AS live
  FROM (
    SELECT ${grain}, newest, part, top, true AS fresh FROM (${newestOf(`\`${shadow}\`.billing_facts`, scope, below)})
    UNION ALL SELECT ${grain}, newest, part, top, false FROM (${newestOf('billing_facts', scope, below)})
  )
  GROUP BY ${grain}
  HAVING rebuilt != live
)`;
  },
};

/** Rebuilds the billing facts with the job that keeps them. */
export function meteringRebuilder(options: {
  now(): number;
  readonly chunkHours: number;
  /** Cut-offs that were fixed for good, see {@link sealedCutOffs}. */
  readonly cutOffs?: Rebuilder['cutOffs'];
}): Rebuilder {
  return {
    name: 'billing',
    tables: [factsTable],
    ...(options.cutOffs === undefined ? {} : { cutOffs: options.cutOffs }),
    async rebuild(store, positions) {
      await runMetering({
        store: createClickHouseMeteringStore(store),
        storedPositions: async () => positions,
        now: options.now,
        chunkHours: options.chunkHours,
      });
    },
  };
}

/** Known-ats of sealed periods that reach into a scope: their figures must come out as they were. */
export function sealedCutOffs(control: Control): NonNullable<Rebuilder['cutOffs']> {
  return async ({ fromHour, toHour }) => {
    const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
    const rows = await control.read({ kind: 'global' }, (tx) =>
      tx
        .selectFrom('sealed_periods')
        .select('known_at')
        .distinct()
        .where('starts_at', '<', iso(toHour))
        .where('ends_at', '>', iso(fromHour))
        .execute(),
    );
    return rows.map(({ known_at }) => parseKnownAt(known_at)).filter((positions) => positions.length > 0);
  };
}
