import { createHash } from 'node:crypto';
import { definitionOf, type LedgerSource } from './ledger-sources.ts';

export const daySeconds = 86_400;

/** A part of a table and the time it is about; 0 to 0 of a table without partitions by time: about any. *Units* seconds since the epoch. */
export interface TablePart {
  readonly table: string;
  readonly name: string;
  readonly hash: string;
  readonly min_time: number;
  readonly max_time: number;
}

/** Days since the epoch of an instant in seconds. */
export const dayOf = (seconds: number): number => Math.floor(seconds / daySeconds);

const digestOf = (text: string) => createHash('sha256').update(text).digest('base64').slice(0, 22);

/**
 * What state each source's table is in, by source and day: names and contents of the parts about that day. Counts taken for a state stand as long as the state does.
 *
 * *Bias* a merge changes the state and no row; the day is then counted again.
 */
export function statesOf(
  sources: readonly LedgerSource[],
  parts: readonly TablePart[],
  days: readonly number[],
): ReadonlyMap<string, ReadonlyMap<number, string>> {
  const [first, last] = [days[0] ?? 0, days.at(-1) ?? -1];
  const byTable = new Map<string, Map<number, string[]>>();
  for (const part of parts) {
    const isTimeless = part.min_time === 0 && part.max_time === 0;
    const from = isTimeless ? first - 1 : Math.max(first - 1, dayOf(part.min_time));
    const to = isTimeless ? last : Math.min(last, dayOf(part.max_time));
    const table = byTable.get(part.table) ?? new Map<number, string[]>();
    byTable.set(part.table, table);
    for (let day = from; day <= to; day += 1) {
      const held = table.get(day);
      if (held === undefined) table.set(day, [`${part.name}/${part.hash}`]);
      else held.push(`${part.name}/${part.hash}`);
    }
  }
  return new Map(
    sources.map((source) => {
      const definition = definitionOf(source);
      const states = days.map((day): [number, string] => {
        const held: string[] = [];
        for (const table of source.tables) {
          for (let back = source.lookbackDays; back >= 0; back -= 1) {
            held.push(`${table}@${back}`, ...(byTable.get(table)?.get(day - back) ?? []).toSorted());
          }
        }
        return [
          day,
          held.length === source.tables.length * (source.lookbackDays + 1)
            ? ''
            : digestOf(`${definition}\n${held.join('\n')}`),
        ];
      });
      return [source.name, new Map(states)];
    }),
  );
}

/** The state of a day added up: what its counts are, whatever parts they were counted from. */
export function dayState(
  counts: readonly { readonly source: string; readonly digest: string; readonly rows: number }[],
) {
  const filled = counts.filter(({ rows }) => rows > 0).map(({ source, digest, rows }) => `${source}:${rows}:${digest}`);
  return digestOf(filled.toSorted().join('\n'));
}

/** Cuts ascending days into runs without a gap, of at most `length` days. */
export function runsOf(days: readonly number[], length: number): { readonly from: number; readonly to: number }[] {
  const runs: { from: number; to: number }[] = [];
  for (const day of days) {
    const run = runs.at(-1);
    if (run !== undefined && run.to === day && day - run.from < length) run.to = day + 1;
    else runs.push({ from: day, to: day + 1 });
  }
  return runs;
}
