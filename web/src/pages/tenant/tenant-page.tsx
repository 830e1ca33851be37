import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useParams, useSearchParams } from 'react-router';
import type { DecisionView, SlaReport, Tenant } from 'streams/contract';
import { decisionsQuery, slaQuery, tenantQuery } from '../../api/queries.ts';
import { useSession } from '../../api/session.tsx';
import { Updated } from '../../components/clock.tsx';
import { ErrorState, Skeleton } from '../../components/feedback.tsx';
import { Icon } from '../../components/icon.tsx';
import { formatBudget } from '../../format/figure.ts';
import { dayOf, formatPeriod, periodOf, shiftPeriod } from '../../format/time.ts';
import { DecisionsSection } from './decisions-section.tsx';
import { EvidencePanel, type EvidenceTarget } from './evidence-panel.tsx';
import { InvoiceSection } from './invoice-section.tsx';
import { LogsSection } from './logs-section.tsx';
import { RejectedSection } from './rejected-section.tsx';
import { budgetSeconds, SlaSection } from './sla-section.tsx';
import { TelemetrySection } from './telemetry-section.tsx';
import { UsageSection } from './usage-section.tsx';

/** Everything about one tenant: service level, decisions, telemetry, usage and money. */
export function TenantPage() {
  const { id = '' } = useParams();
  const { token } = useSession();
  const tenant = useQuery(tenantQuery(token, id));
  if (tenant.data !== undefined) return <TenantView key={tenant.data.id} tenant={tenant.data} />;
  return (
    <div className="page">
      <h1>
        <bdi>{id}</bdi>
      </h1>
      {tenant.error === null ? (
        <Skeleton height={480} label="Reading the tenant" />
      ) : (
        <ErrorState what="This tenant cannot be shown" error={tenant.error} onRetry={() => void tenant.refetch()} />
      )}
    </div>
  );
}

function TenantView({ tenant }: { readonly tenant: Tenant }) {
  const { token } = useSession();
  const [search] = useSearchParams();
  const [evidence, setEvidence] = useState<EvidenceTarget | null>(null);
  const current = periodOf(Date.now(), tenant.timeZone);
  const asked = search.get('period') ?? '';
  const period = /^\d{4}-(0[1-9]|1[0-2])$/.test(asked) ? asked : current;
  const sla = useQuery(slaQuery(token, tenant.id, period));
  const decisions = useQuery(decisionsQuery(token, tenant.id));
  const refresh = () => {
    void sla.refetch();
    void decisions.refetch();
  };
  return (
    <div className="page">
      <header className="page-head">
        <div className="page-title">
          <h1>
            <bdi>{tenant.name}</bdi>
          </h1>
          <p className="state-sentence">{tenantSentence(tenant, sla.data, decisions.data)}</p>
          <p className="page-note">
            <code>{tenant.id}</code> · {tenant.tier} tier · {tenant.plan} plan · {tenant.region} · {tenant.currency} ·{' '}
            {tenant.timeZone}
          </p>
        </div>
        <div className="page-side">
          <PeriodPicker period={period} current={current} />
          <Updated
            at={Math.max(sla.dataUpdatedAt, decisions.dataUpdatedAt)}
            busy={sla.isFetching || decisions.isFetching}
            failed={sla.error !== null}
            timeZone={tenant.timeZone}
            onRefresh={refresh}
          />
        </div>
      </header>
      <SlaSection tenant={tenant} period={period} />
      <DecisionsSection tenant={tenant} />
      <TelemetrySection tenant={tenant} />
      <UsageSection tenant={tenant} period={period} onEvidence={setEvidence} />
      <InvoiceSection tenant={tenant} period={period} onEvidence={setEvidence} />
      <RejectedSection tenant={tenant} />
      <LogsSection tenant={tenant} />
      {evidence !== null && <EvidencePanel target={evidence} onClose={() => setEvidence(null)} />}
    </div>
  );
}

/** State of a tenant in one sentence, from what is known so far. */
function tenantSentence(
  tenant: Tenant,
  sla: SlaReport | undefined,
  decisions: readonly DecisionView[] | undefined,
): string {
  const parts: string[] = [];
  if (tenant.state !== 'active') parts.push(`This tenant is ${tenant.state}`);
  if (sla !== undefined) {
    const budget = budgetSeconds(sla);
    const today = sla.days.find((day) => day.day === dayOf(Date.now(), sla.timeZone));
    if (sla.attainment === null) parts.push('Its service level was not measured in this period');
    else if (budget !== null && budget.left < 0)
      parts.push(`Breaching: ${formatBudget(-budget.left)} over its error budget`);
    else if (budget !== null) parts.push(`Within its service level, ${formatBudget(budget.left)} of error budget left`);
    if (today !== undefined && today.badSeconds > 0) parts.push(`${formatBudget(today.badSeconds)} bad today`);
  }
  const open = decisions?.filter((decision) => decision.state === 'open').length ?? 0;
  if (open > 0) parts.push(`${open} ${open === 1 ? 'decision waits' : 'decisions wait'} for approval`);
  return parts.length === 0 ? '' : `${parts.join('; ')}.`;
}

function PeriodPicker({ period, current }: { readonly period: string; readonly current: string }) {
  const [, setSearch] = useSearchParams();
  const go = (next: string) =>
    setSearch((before) => {
      const after = new URLSearchParams(before);
      if (next === current) after.delete('period');
      else after.set('period', next);
      return after;
    });
  return (
    <fieldset className="period-picker">
      <legend className="visually-hidden">Billing period</legend>
      <button
        type="button"
        className="icon-button small"
        onClick={() => go(shiftPeriod(period, -1))}
        aria-label="Period before"
      >
        <Icon name="collapse" size={14} />
      </button>
      <span aria-live="polite">{formatPeriod(period)}</span>
      <button
        type="button"
        className="icon-button small"
        disabled={period >= current}
        onClick={() => go(shiftPeriod(period, 1))}
        aria-label="Period after"
      >
        <Icon name="right" size={14} />
      </button>
    </fieldset>
  );
}
