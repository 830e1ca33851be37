import type { Position, ReplayScope, ReplayTable } from './port.ts';

const reRead = 'which reading of the log computed the row: a later one of the same records gives the same figures';
const around = { before: 2, after: 1 };

/** Tables that the consumer of the log writes itself, straight from the records. */
export const storedTables: readonly ReplayTable[] = [
  { name: 'samples', time: 'time', partition: 'day', swap: 'partition', context: around },
  { name: 'histograms', time: 'time', partition: 'day', swap: 'partition', context: around },
  { name: 'exponential_histograms', time: 'time', partition: 'day', swap: 'partition', context: around },
  { name: 'summaries', time: 'time', partition: 'day', swap: 'partition' },
  { name: 'exemplars', time: 'time', partition: 'day', swap: 'partition' },
  { name: 'spans', time: 'Timestamp', partition: 'day', swap: 'partition' },
  { name: 'log_records', time: 'Timestamp', partition: 'day', swap: 'partition' },
  { name: 'usage_events', time: 'time', partition: 'month', swap: 'partition' },
  {
    name: 'usage_conflicts',
    time: "parseDateTime64BestEffortOrZero(JSONExtractString(payload, 'time'), 3, 'UTC')",
    partition: 'none',
    swap: 'rows',
  },
  {
    name: 'produced',
    time: 'bucket',
    partition: 'month',
    // Written over by key and never removed: the first part of a request tells of its other parts' hours too, and may stand in a batch that touched none of the range.
    swap: 'append',
    append: (shadow, scope) => `INSERT INTO produced SELECT * FROM \`${shadow}\`.produced FINAL WHERE ${scope}`,
    except: { seq: 'which of the resends of an export stands: they carry the same numbers' },
  },
  { name: 'touched', time: 'bucket', partition: 'none', swap: 'rows' },
];

/** Tables that the roll-up job computes. */
export const rolledTables: readonly ReplayTable[] = [
  {
    name: 'series_hour',
    time: 'bucket',
    partition: 'month',
    swap: 'partition',
    except: { version: reRead },
    context: { before: 24, after: 0 },
  },
  { name: 'series_minute', time: 'bucket', partition: 'day', swap: 'partition', except: { version: reRead } },
  { name: 'usage_hour', time: 'bucket', partition: 'month', swap: 'partition', except: { version: reRead } },
  // Last: the mark says of an hour that the others are what its points make.
  { name: 'rolled', time: 'bucket', partition: 'month', swap: 'partition', except: { version: reRead } },
];

/** Instant in SQL, of the type that the column compares by: a DateTime64 against a DateTime loses rows at granule edges. */
function instant(table: Pick<ReplayTable, 'time'>, seconds: number): string {
  if (table.time === 'bucket') return `toDateTime(${seconds}, 'UTC')`;
  return `toDateTime64(${seconds}, ${table.time === 'Timestamp' ? 9 : 3}, 'UTC')`;
}

/** Condition for the rows of a table in hours `[fromHour, toHour)` of the scope's tenant. */
export function withinHours(table: Pick<ReplayTable, 'time'>, scope: ReplayScope): string {
  const { time } = table;
  const conditions = [`${time} >= ${instant(table, scope.fromHour)}`, `${time} < ${instant(table, scope.toHour)}`];
  if (scope.tenant !== null) conditions.unshift(`tenant = ${scope.tenant}`);
  return conditions.join(' AND ');
}

/** Condition for the hours around the scope that the figures of a table look at; null when there are none. */
export function contextOf(table: ReplayTable, scope: ReplayScope): string | null {
  const { context } = table;
  if (context === undefined) return null;
  const reach = {
    ...scope,
    fromHour: Math.max(0, scope.fromHour - context.before * 3600),
    toHour: scope.toHour + context.after * 3600,
  };
  return `${withinHours(table, reach)} AND NOT (${withinHours(table, scope)})`;
}

/** Condition for one partition of a table, by its id. */
export function withinPartition(table: ReplayTable, id: string): string {
  return table.partition === 'none' ? '1' : `_partition_id = '${id}'`;
}

/** Log partition → cut-off, as an expression that a row's version lies below when the row is known. */
export function knownBelow(positions: readonly Position[]): string {
  if (positions.length === 0) return 'toUInt64(0)';
  const [partitions, nexts] = [positions.map((one) => one.partition), positions.map((one) => `toUInt64(${one.next})`)];
  return `transform(toUInt16(partition), CAST([${partitions.join(', ')}], 'Array(UInt16)'), [${nexts.join(', ')}], toUInt64(0))`;
}
