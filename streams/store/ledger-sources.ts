import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Figures that a source may tell of one (tenant, item, hand-over, hour); see `schema/045_ledger_counts.sql`. */
const figures = {
  handed: 'toUInt64(0)',
  taken: 'toUInt64(0)',
  duplicates: 'toUInt64(0)',
  conflicts: 'toUInt64(0)',
  handed_sum: 'toDecimal128(0, 12)',
  taken_sum: 'toDecimal128(0, 12)',
  duplicate_sum: 'toDecimal128(0, 12)',
  conflict_sum: 'toDecimal128(0, 12)',
  handed_seconds: 'toUInt64(0)',
  taken_seconds: 'toUInt64(0)',
  reach: 'toUInt64(0)',
  done: 'toUInt64(0)',
  partition: 'toUInt16(0)',
  rule: 'toUInt8(0)',
} as const;
export type LedgerFigure = keyof typeof figures;

const types: Readonly<Record<LedgerFigure, (name: string) => string>> = {
  handed: (name) => `toUInt64(${name})`,
  taken: (name) => `toUInt64(${name})`,
  duplicates: (name) => `toUInt64(${name})`,
  conflicts: (name) => `toUInt64(${name})`,
  handed_sum: (name) => `toDecimal128(${name}, 12)`,
  taken_sum: (name) => `toDecimal128(${name}, 12)`,
  duplicate_sum: (name) => `toDecimal128(${name}, 12)`,
  conflict_sum: (name) => `toDecimal128(${name}, 12)`,
  handed_seconds: (name) => `toUInt64(${name})`,
  taken_seconds: (name) => `toUInt64(${name})`,
  reach: (name) => `toUInt64(${name})`,
  done: (name) => `toUInt64(${name})`,
  partition: (name) => `toUInt16(${name})`,
  rule: (name) => `toUInt8(${name})`,
};
const figureNames = Object.keys(figures) as LedgerFigure[];

/** The columns that every side of the ledger has, in their order. */
export const sideColumns = ['tenant', 'signal', 'item', 'hop', 'hour', ...figureNames] as const;

/**
 * A table and the rule by which the ledger counts it.
 *
 * *Shape* `sql` reads `tenant, signal, item, hop, hour` and its `figures`, of the hours `[fromHour, toHour)` and of `{tenant}` or, with 0, of all.
 */
export interface LedgerSource {
  readonly name: string;
  readonly tables: readonly string[];
  readonly sql: string;
  readonly figures: readonly LedgerFigure[];
  readonly params: Readonly<Record<string, unknown>>;
  /** Days before a day that its count reads too. */
  readonly lookbackDays: number;
  /** Days that one statement counts at most: each partition under FINAL holds its own blocks in memory. */
  readonly daysMax: number;
  /** The count depends on how far metering has come (`partitions`, `metered`): it is kept for days without anything beyond. */
  readonly beyond?: string;
}

/** Reads a source's `.sql`. */
export function ledgerSource(
  file: URL,
  rest: Pick<LedgerSource, 'name' | 'tables' | 'figures'> &
    Partial<Omit<LedgerSource, 'sql' | 'beyond'>> & { readonly beyond?: URL },
): LedgerSource {
  const read = (url: URL) =>
    readFileSync(url, 'utf8')
      .replaceAll(/^--.*$/gm, '')
      .trim();
  const { beyond, ...given } = rest;
  const whole = { params: {}, lookbackDays: 0, daysMax: 10, ...given, sql: read(file) };
  return beyond === undefined ? whole : { ...whole, beyond: read(beyond) };
}

/** What a kept count follows from besides rows: with another rule it is counted anew. */
export function definitionOf(source: LedgerSource): string {
  return createHash('sha256')
    .update(JSON.stringify([source.sql, source.params, source.lookbackDays]))
    .digest('base64')
    .slice(0, 12);
}

/** The source's rows with all columns of {@link sideColumns}; its placeholders get `prefix`, so that several stand in one statement. */
export function selectSides(source: LedgerSource, prefix: string): string {
  const given = new Set<string>(source.figures);
  const columns = figureNames.map((name) => `${given.has(name) ? types[name](`s.${name}`) : figures[name]} AS ${name}`);
  const sql = source.sql.replaceAll(/\{(\w+):/g, `{${prefix}$1:`);
  return `SELECT s.tenant AS tenant, toString(s.signal) AS signal, toString(s.item) AS item, toString(s.hop) AS hop, s.hour AS hour, ${columns.join(', ')}
FROM (
${sql}
) AS s`;
}

/** Gives the parameters of {@link selectSides} their prefix. */
export function prefixed(params: Readonly<Record<string, unknown>>, prefix: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [`${prefix}${name}`, value]));
}

const file = (name: string) => new URL(`./sql/ledger-from-${name}.sql`, import.meta.url);

/**
 * The store's own sources. `eventMeters` are pairs of event type and meter: what is stored for a meter is counted together with the signal.
 */
export function storeSources(eventMeters: readonly (readonly [string, string])[]): LedgerSource[] {
  const stored = (name: string, table: string) =>
    ledgerSource(file(name), { name, tables: [table], figures: ['taken'] });
  return [
    ledgerSource(file('touched'), {
      name: 'touched',
      tables: ['touched'],
      figures: [
        ...(['handed', 'taken', 'duplicates', 'handed_sum', 'taken_sum', 'duplicate_sum'] as const),
        ...(['reach', 'partition', 'rule'] as const),
      ],
      daysMax: 5,
    }),
    ledgerSource(file('samples'), { name: 'samples', tables: ['samples'], figures: ['handed', 'taken'] }),
    stored('histograms', 'histograms'),
    stored('exponential-histograms', 'exponential_histograms'),
    stored('summaries', 'summaries'),
    stored('spans', 'spans'),
    stored('log-records', 'log_records'),
    ledgerSource(file('usage-events'), {
      name: 'usage-events',
      tables: ['usage_events'],
      figures: ['handed', 'taken', 'handed_sum', 'taken_sum', 'rule'],
      params: { eventMeters: JSON.stringify(eventMeters) },
      daysMax: 5,
    }),
    ledgerSource(file('usage-conflicts'), {
      name: 'usage-conflicts',
      tables: ['usage_conflicts'],
      figures: ['conflicts', 'conflict_sum', 'rule'],
      daysMax: 400,
    }),
    ledgerSource(file('rolled'), {
      name: 'rolled',
      tables: ['rolled'],
      figures: ['taken', 'done'],
      daysMax: 10,
    }),
    ledgerSource(file('produced'), {
      name: 'produced',
      tables: ['produced'],
      figures: ['handed', 'taken'],
      lookbackDays: 1,
      daysMax: 5,
    }),
  ];
}
