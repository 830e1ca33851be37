import { type LedgerSource, ledgerSource, storeSources } from 'streams/store';
import { type Meter, meters } from '../metering/meters.ts';

const file = (name: string) => new URL(`./sql/ledger-${name}.sql`, import.meta.url);

/** Sums of stored and rated are compared; of a counter, less may be rated than is stored. */
const ruleOf = ({ source }: Meter) => (source.kind === 'counter' ? 2 : 1);

/**
 * Everything that the conservation ledger counts: the store's own tables, what stands there for each meter, the usage facts, and what invoices take of them.
 *
 * *Shape* both sides of a hand-over are read apart: stored events by their table and facts by theirs, samples of time-weighted meters by another computation than the facts, facts without a cut-off against facts at the invoices' cut-off.
 */
export function ledgerSources(all: readonly Meter[] = meters): LedgerSource[] {
  const eventMeters = all.flatMap(({ key, source }) => (source.kind === 'events' ? [[source.type, key] as const] : []));
  const metricsOf = (kind: 'metric' | 'counter') =>
    JSON.stringify(all.flatMap(({ key, source }) => (source.kind === kind ? [[source.metric, key]] : [])));
  const meterSignals = JSON.stringify(
    all.map((meter) => [meter.key, meter.source.kind === 'events' ? 'events' : 'metrics', ruleOf(meter)]),
  );
  return [
    ...storeSources(eventMeters),
    ledgerSource(file('levels'), {
      name: 'levels',
      tables: ['samples'],
      figures: ['handed', 'handed_sum', 'handed_seconds', 'rule'],
      params: { metrics: metricsOf('metric') },
      // A sample holds into the next hour.
      lookbackDays: 1,
      daysMax: 1,
    }),
    ledgerSource(file('counters'), {
      name: 'counters',
      tables: ['samples'],
      figures: ['handed', 'rule'],
      params: { metrics: metricsOf('counter') },
      daysMax: 3,
    }),
    ledgerSource(file('rated'), {
      name: 'rated',
      tables: ['billing_facts'],
      figures: [
        ...(['handed', 'taken', 'handed_sum', 'taken_sum', 'handed_seconds', 'taken_seconds'] as const),
        ...(['done', 'partition', 'rule'] as const),
      ],
      params: { meterSignals },
      daysMax: 2,
    }),
    ledgerSource(file('invoiced'), {
      name: 'invoiced',
      tables: ['billing_facts'],
      figures: ['taken', 'taken_sum', 'taken_seconds', 'rule'],
      params: { meterSignals },
      daysMax: 2,
      beyond: file('beyond'),
    }),
  ];
}
