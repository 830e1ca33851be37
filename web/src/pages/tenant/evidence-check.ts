import { addDecimals, compareDecimals } from '../../format/decimal.ts';

type Row = Readonly<Record<string, string | number | null>>;

/**
 * Computes a simple aggregate again over evidence rows: `sum(column)`, `count()`, `max(column)` or `any(column)`.
 *
 * *Shape* null when the aggregate is of another form or a value is not an exact decimal: then only the server's statement stands.
 */
export function recompute(aggregate: string, rows: readonly Row[]): string | null {
  const match = /^\s*(sum|count|max|any)\((\w*)\)\s*$/.exec(aggregate);
  if (match === null) return null;
  const [, name, column = ''] = match;
  if (name === 'count' && column === '') return String(rows.length);
  const values: string[] = [];
  for (const row of rows) {
    const value = row[column];
    const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
    if (typeof text !== 'string' || !/^-?\d+(\.\d+)?$/.test(text)) return null;
    values.push(text);
  }
  if (name === 'count') return String(values.length);
  if (name === 'sum') return values.reduce(addDecimals, '0');
  const [first, ...others] = values;
  if (first === undefined) return null;
  return name === 'any'
    ? first
    : others.reduce((best, value) => (compareDecimals(value, best) > 0 ? value : best), first);
}
