import { addDecimals, compareDecimals, divideDecimals } from '../../format/decimal.ts';

type Row = Readonly<Record<string, string | number | null>>;

/** Exact decimals of a column; null when one of them is not exact. */
function columnOf(rows: readonly Row[], column: string): string[] | null {
  const values: string[] = [];
  for (const row of rows) {
    const value = row[column];
    const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
    if (typeof text !== 'string' || !/^-?\d+(\.\d+)?$/.test(text)) return null;
    values.push(text);
  }
  return values;
}

function sumOf(rows: readonly Row[], column: string): string | null {
  return columnOf(rows, column)?.reduce(addDecimals, '0') ?? null;
}

/** `sum(a) / sum(b), rounded up to a whole unit`: zero when nothing was measured. */
function averageRoundedUp(match: RegExpExecArray, rows: readonly Row[]): string | null {
  const [value, seconds] = [sumOf(rows, match[1] ?? ''), sumOf(rows, match[2] ?? '')];
  if (value === null || seconds === null) return null;
  return compareDecimals(seconds, '0') === 0 ? '0' : divideDecimals(value, seconds, 0, 'up');
}

/** `sum(a) / size / seconds, to N digits half-even`: one division, one rounding. */
function monthAverage(match: RegExpExecArray, rows: readonly Row[]): string | null {
  const value = sumOf(rows, match[1] ?? '');
  if (value === null) return null;
  const divisor = BigInt(match[2] ?? '0') * BigInt(match[3] ?? '0');
  return divisor === 0n ? null : divideDecimals(value, String(divisor), Number(match[4]), 'half-even');
}

/** `covered_seconds / period_seconds …, to N digits half-even`: the part of the period that one subscription covers. */
function partOfPeriod(match: RegExpExecArray, rows: readonly Row[]): string | null {
  const [covered, period] = [columnOf(rows, match[1] ?? ''), columnOf(rows, match[2] ?? '')];
  const [part, whole] = [covered?.[0], period?.[0]];
  if (rows.length !== 1 || part === undefined || whole === undefined || compareDecimals(whole, '0') === 0) return null;
  return divideDecimals(part, whole, Number(match[3]), 'half-even');
}

function simple(match: RegExpExecArray, rows: readonly Row[]): string | null {
  const [, name, column = ''] = match;
  if (name === 'count' && column === '') return String(rows.length);
  const values = columnOf(rows, column);
  if (values === null) return null;
  if (name === 'count') return String(values.length);
  if (name === 'sum') return values.reduce(addDecimals, '0');
  const [first, ...others] = values;
  if (first === undefined) return null;
  return name === 'any'
    ? first
    : others.reduce((best, value) => (compareDecimals(value, best) > 0 ? value : best), first);
}

const forms = [
  [/^\s*(sum|count|max|any)\((\w*)\)\s*$/, simple],
  [/^sum\((\w+)\) \/ sum\((\w+)\), rounded up to a whole unit(?:;|$)/, averageRoundedUp],
  [/^sum\((\w+)\) \/ (\d+) \/ (\d+), to (\d{1,2}) digits half-even(?:;|$)/, monthAverage],
  [/^(\w+_seconds) \/ (\w+_seconds) of the subscription record, to (\d{1,2}) digits half-even(?:;|$)/, partOfPeriod],
] as const;

/**
 * Computes the aggregate of a line again over its evidence rows, exactly.
 *
 * *Shape* takes `sum(c)`, `count()`, `max(c)`, `any(c)`, `sum(c) / sum(d), rounded up to a whole unit` `sum(c) / size / seconds, to N digits half-even`
 * and `c_seconds / d_seconds of the subscription record, to N digits half-even`;
 * null for any other form and for values that are not exact decimals: then only the server's statement stands.
 */
export function recompute(aggregate: string, rows: readonly Row[]): string | null {
  for (const [form, compute] of forms) {
    const match = form.exec(aggregate);
    if (match !== null) return compute(match, rows);
  }
  return null;
}
