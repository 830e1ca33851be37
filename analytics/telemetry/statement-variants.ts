import type { Query } from 'streams/store';

const groupLookup = 'transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */';
const exactMark = ' FINAL /* exact */';
const aggregateMark = /[^\n,]*\/\* aggregate \*\/ AS value/;

/** How a statement is made cheaper or changed without changing what it means. */
export interface Variation {
  /** All series are one group: no look-up a row. */
  readonly oneGroup: boolean;
  /** Equal duplicates do not change this aggregate: the engine need not merge while reading. */
  readonly duplicatesHarmless?: boolean;
  /** The sources marked `from` that have rows to give; without it all. */
  readonly sources?: readonly string[];
  /** Expression in the place marked `aggregate`; a constant of the code, never input. */
  readonly aggregate?: string;
}

/** Leaves out the members of the union marked `-- from NAME` that are not wanted. */
function onlySources(text: string, wanted: readonly string[]): string {
  const marks = [...text.matchAll(/^ *(?:UNION ALL )?-- from (\w+)\n/gm)];
  const first = marks[0];
  const last = marks.at(-1);
  if (first === undefined || last === undefined) return text;
  const members = marks.slice(0, -1).flatMap((mark, i) => {
    const body = text.slice(mark.index + mark[0].length, marks[i + 1]?.index);
    return wanted.includes(mark[1] ?? '') ? [body] : [];
  });
  return text.slice(0, first.index) + members.join('    UNION ALL\n') + text.slice(last.index + last[0].length);
}

const variations = new WeakMap<object, Map<string, unknown>>();

/** The statement with its marked places replaced; made once each. */
export function variant<P, R>(query: Query<P, R>, variation: Variation): Query<P, R> {
  const known = variations.get(query) ?? new Map<string, unknown>();
  variations.set(query, known);
  const { oneGroup, duplicatesHarmless, aggregate, sources } = variation;
  const key = `${oneGroup} ${duplicatesHarmless} ${aggregate} ${sources?.join()}`;
  const made = known.get(key) as Query<P, R> | undefined;
  if (made !== undefined) return made;
  let text = query.sql;
  if (oneGroup) text = text.replace(groupLookup, 'toUInt32(0)');
  if (duplicatesHarmless === true) text = text.replace(exactMark, '');
  if (aggregate !== undefined) text = text.replace(aggregateMark, ` ${aggregate} AS value`);
  if (sources !== undefined) text = onlySources(text, sources);
  const changed = { ...query, sql: text };
  known.set(key, changed);
  return changed;
}

const conditioned = new WeakMap<object, Map<string, unknown>>();

/** The statement without the conditions marked `-- if NAME` whose name is not given, so that their columns are not read; made once each. */
export function withConditions<P, R>(query: Query<P, R>, given: readonly string[]): Query<P, R> {
  const known = conditioned.get(query) ?? new Map<string, unknown>();
  conditioned.set(query, known);
  const key = given.join();
  const made = known.get(key) as Query<P, R> | undefined;
  if (made !== undefined) return made;
  const sql = query.sql.replaceAll(/^.* -- if (\w+)\n/gm, (line, name: string) => (given.includes(name) ? line : ''));
  const changed = { ...query, sql };
  known.set(key, changed);
  return changed;
}

const limited = new WeakMap<object, Query<never, unknown>>();

/** The statement with a limit on the bytes of its result; its settings stand in its last line. */
export function withResultBytes<P, R>(query: Query<P, R>, bytes: number): Query<P, R> {
  const known = limited.get(query) as Query<P, R> | undefined;
  if (known !== undefined) return known;
  const made = { ...query, sql: `${query.sql.trimEnd()}, max_result_bytes = ${bytes}` };
  limited.set(query, made as unknown as Query<never, unknown>);
  return made;
}
