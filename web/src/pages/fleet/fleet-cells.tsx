import { memo } from 'react';
import { Sparkline } from '../../components/sparkline.tsx';
import { Status, type Tone } from '../../components/status.tsx';
import { formatAttainment, formatCount } from '../../format/figure.ts';
import { missing } from '../../format/locale.ts';
import { formatMoney } from '../../format/money.ts';
import { formatInstant, formatRelative } from '../../format/time.ts';
import type { FleetEntry, HealthState } from './fleet-rows.ts';
import { budgetText, isBreaching } from './fleet-rows.ts';

export const healthWords: Record<HealthState, { word: string; tone: Tone }> = {
  up: { word: 'Healthy', tone: 'good' },
  degraded: { word: 'Degraded', tone: 'warning' },
  down: { word: 'Down', tone: 'critical' },
  unmeasured: { word: 'Not measured', tone: 'unknown' },
};

/** Health of a tenant, with the time of its last sign of life on hover. */
export function HealthCell({ entry }: { readonly entry: FleetEntry }) {
  if (entry.unread !== null) return <Unread reason={entry.unread} />;
  const { word, tone } = healthWords[entry.health];
  const title =
    entry.lastSeenAt === null
      ? 'Nothing was received from this tenant yet'
      : `Last heard ${formatInstant(entry.lastSeenAt, entry.tenant.timeZone)}, ${formatRelative(Date.parse(entry.lastSeenAt), Date.now())}`;
  return <Status tone={tone} word={word} title={title} />;
}

function Unread({ reason }: { readonly reason: string }) {
  return (
    <span className="figure" title={reason}>
      {missing}
    </span>
  );
}

/** Attainment with three decimals and what is left of the error budget. */
export function AttainmentCell({ entry }: { readonly entry: FleetEntry }) {
  if (entry.unread !== null) return <Unread reason={entry.unread} />;
  if (entry.attainment === null) {
    return (
      <span className="figure" title="No minute was measured in this period">
        {missing} <small>not measured</small>
      </span>
    );
  }
  return (
    <span className="figure">
      {formatAttainment(entry.attainment)}{' '}
      <small className={isBreaching(entry) ? 'tone-critical' : undefined}>{budgetText(entry)}</small>
    </span>
  );
}

/** Active customers with the trend of their daily mean. */
export const CustomersCell = memo(function CustomersCell({ entry }: { readonly entry: FleetEntry }) {
  if (entry.unread !== null) return <Unread reason={entry.unread} />;
  const known = entry.customersTrend.filter((value) => value !== null);
  const label = `Customers over ${entry.customersTrend.length} days, from ${formatCount(known[0] ?? null)} to ${formatCount(known.at(-1) ?? null)}`;
  return (
    <span className="figure with-spark">
      <Sparkline values={entry.customersTrend} label={label} />
      <span title={entry.customers === null ? 'No measurement of active customers yet' : String(entry.customers)}>
        {formatCount(entry.customers)}
      </span>
    </span>
  );
});

/** Total of the draft invoice; a word while it is read (reason null), a dash with the reason where it could not be read. */
export function BillCell(props: { readonly entry: FleetEntry; readonly reason: string | null }) {
  const { invoice } = props.entry;
  if (invoice === null) {
    if (props.reason === null) return <span className="figure faint">reading…</span>;
    return <Unread reason={props.reason} />;
  }
  return (
    <span
      className="figure"
      title={`${invoice.total} ${invoice.currency} in ${invoice.lines.length} lines, as of ${formatInstant(invoice.asOf, invoice.timeZone)}`}
    >
      {formatMoney(invoice.total, invoice.currency)}
    </span>
  );
}

/** Number of decisions that wait. */
export function DecisionsCell({ entry }: { readonly entry: FleetEntry }) {
  const { openDecisions } = entry;
  if (openDecisions === null) {
    return <Unread reason="Decisions are not read yet or could not be" />;
  }
  return <span className={openDecisions === 0 ? 'figure faint' : 'figure count-badge'}>{openDecisions}</span>;
}
