import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type LedgerSource, selectSides, sideColumns } from './ledger-sources.ts';

const sqlFile = (name: string) => new URL(`./sql/ledger-${name}.sql`, import.meta.url);
const judged = readFileSync(sqlFile('hours'), 'utf8')
  .replaceAll(/^--.*$/gm, '')
  .trim();

/** Days added up under another rule are added up again. */
export const ruleState = `${createHash('sha256').update(judged).digest('base64').slice(0, 8)}:`;
/** Remembers which counts stand. */
export const keepStatement = readFileSync(sqlFile('keep'), 'utf8');

/** Hours of a total that differ and may be in flight; more are a mismatch anyway. */
const namedHours = 1000;
/** Along the chain, as text for the engine. */
const hopOrder = (column: string) =>
  `transform(${column}, ['accepted', 'logged', 'stored', 'rolled_up', 'rated', 'invoiced'], [0, 1, 2, 3, 4, 5], 6)`;
const sums = [
  ...['handed', 'taken', 'duplicates', 'conflicts'],
  ...['handed_sum', 'taken_sum', 'duplicate_sum', 'conflict_sum'],
] as const;
const states = ['balanced', 'pending', 'mismatched'] as const;
const stateCounts = states.map((_, state) => `countIf(j.state = ${state})`).join(', ');
const ofTenants = '(empty({tenants:Array(UInt32)}) OR has({tenants:Array(UInt32)}, tenant))';
const wholeDays = `(d.day, d.version) IN (SELECT toDate(k.2), k.3 FROM (SELECT arrayJoin(JSONExtract({whole:String}, 'Array(Tuple(String, UInt32, UInt64))')) AS k)) AND ${ofTenants}`;

/** One count of a source, kept under a version. */
export const countStatement = (source: LedgerSource): string =>
  `INSERT INTO ledger_counts (source, day, version, ${sideColumns.map((name) => `\`${name}\``).join(', ')})
SELECT {name:String}, toDate(c.hour), {version:UInt64}, ${sideColumns.map((name) => `c.${name}`).join(', ')}
FROM (${selectSides(source, '')}) AS c`;

/** Counts that stand, by their versions. */
export const standingCounts = `SELECT ${sideColumns.join(', ')} FROM ledger_counts WHERE (source, day, version) IN (SELECT k.1, toDate(k.2), k.3 FROM (SELECT arrayJoin(JSONExtract({standing:String}, 'Array(Tuple(String, UInt32, UInt64))')) AS k))`;

/** A day added up, kept under a version. */
export const dayStatement = (sides: string): string =>
  `INSERT INTO ledger_days (day, version, tenant, item, hop, hours, ${states.join(', ')}, ${sums.join(', ')}, exact)
SELECT toDate({day:UInt32}), {version:UInt64}, j.tenant, j.item, j.hop, count(), ${stateCounts}, ${sums.map((name) => `sum(j.${name})`).join(', ')}, max(j.exact)
FROM (WITH ${sides}
${judged}) AS j
GROUP BY j.tenant, j.item, j.hop`;

/** Everything added up: days that stand, and the others (`sides`, null when there are none) judged hour by hour. */
export function totalsStatement(sides: string | null): string {
  const kept = `SELECT d.tenant AS tenant, '' AS of_signal, d.item AS item, d.hop AS hop, toUInt64(d.hours) AS hours, ${states.map((name) => `toUInt64(d.${name}) AS ${name}`).join(', ')}, ${sums.map((name) => `d.${name} AS ${name}`).join(', ')}, d.exact AS exact, emptyArrayUInt32() AS wrong
  FROM ledger_days AS d
  WHERE ${wholeDays}`;
  const open = `SELECT j.tenant, any(j.signal), j.item, j.hop, count(), ${stateCounts}, ${sums.map((name) => `sum(j.${name})`).join(', ')}, max(j.exact), groupArrayIf(${namedHours})(toUnixTimestamp(j.hour), j.state = 2)
  FROM (${judged}) AS j
  GROUP BY j.tenant, j.item, j.hop`;
  return `${sides === null ? '' : `WITH ${sides}\n`}SELECT tenant, max(of_signal) AS signal, item, hop, sum(hours) AS hours, ${states.map((name) => `sum(${name}) AS ${name}`).join(', ')}, ${sums.map((name) => `sum(${name}) AS ${name}`).join(', ')}, max(exact) AS exact,
  arraySlice(arraySort(groupArrayArray(wrong)), 1, ${namedHours}) AS named
FROM (
  ${sides === null ? kept : `${kept}\n  UNION ALL\n  ${open}`}
)
GROUP BY tenant, item, hop
ORDER BY tenant, item, ${hopOrder('hop')}`;
}

/** Hand-overs of each state by day. */
export function dayCountsStatement(sides: string | null): string {
  const kept = `SELECT toUInt32(d.day) AS day, ${states.map((name) => `toUInt64(d.${name}) AS ${name}`).join(', ')} FROM ledger_days AS d
  WHERE ${wholeDays}`;
  const open = `SELECT toUInt32(toDate(j.hour)), ${states.map((_, state) => `toUInt64(j.state = ${state})`).join(', ')} FROM (${judged}) AS j`;
  return `${sides === null ? '' : `WITH ${sides}\n`}SELECT day, ${states.map((name) => `sum(${name}) AS ${name}`).join(', ')} FROM (
  ${sides === null ? kept : `${kept}\n  UNION ALL\n  ${open}`}
)
GROUP BY day ORDER BY day`;
}

/** A page of hand-overs, by day, tenant, item, hour and along the chain. */
export const hoursStatement = (sides: string): string =>
  `WITH ${sides}
SELECT tenant, signal, item, hop, toUnixTimestamp(hour) AS hour, ${sums.join(', ')}, handed_seconds, taken_seconds, exact, state
FROM (${judged}) AS j
WHERE {state:UInt8} = 3 OR j.state = {state:UInt8}
ORDER BY toDate(j.hour), j.tenant, j.item, j.hour, ${hopOrder('j.hop')}
LIMIT {limit:UInt32} OFFSET {skip:UInt32}`;
