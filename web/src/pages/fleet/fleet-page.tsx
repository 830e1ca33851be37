import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useMemo } from 'react';
import { backupsQuery, fleetInvoicesQuery, fleetQuery, openDecisionsQuery, tenantsQuery } from '../../api/queries.ts';
import { useSession } from '../../api/session.tsx';
import { Updated, useNow } from '../../components/clock.tsx';
import { codeOf, EmptyState, ErrorState, SkeletonRows } from '../../components/feedback.tsx';
import { missing } from '../../format/locale.ts';
import { formatRelative } from '../../format/time.ts';
import { FleetFilters } from './fleet-filters.tsx';
import { billTotals, filterEntries, fleetSentence, joinFleet, sortEntries, unreadFleet } from './fleet-rows.ts';
import { FleetTable } from './fleet-table.tsx';
import { useFleetView } from './fleet-view.ts';

/** How old the last verified backup is; nothing while that is not known, as in a process that takes none. */
function BackupNote() {
  const { token } = useSession();
  const { data } = useQuery(backupsQuery(token));
  const now = useNow(60_000);
  if (data === undefined) return null;
  const last = data.lastVerifiedBackup;
  return (
    <p className="page-note">
      Last verified backup:{' '}
      <strong>{last === null ? 'none yet' : formatRelative(Date.parse(last.startedAt), now)}</strong>
    </p>
  );
}

/** Answers "is everybody well, and what do they owe" at a glance. */
export function FleetPage() {
  const { token } = useSession();
  const fleet = useQuery(fleetQuery(token));
  const invoices = useQuery(fleetInvoicesQuery(token));
  const decisions = useQuery(openDecisionsQuery(token));
  // Asked only when the fleet fails: its names, bills and decisions can still be shown.
  const tenants = useQuery({ ...tenantsQuery(token), enabled: fleet.data === undefined && fleet.error !== null });
  const controls = useFleetView();
  const { view } = controls;
  const text = useDeferredValue(view.text);

  const all = useMemo(
    () =>
      fleet.data === undefined && fleet.error !== null
        ? unreadFleet(
            tenants.data ?? [],
            `Could not be read: ${codeOf(fleet.error)}`,
            invoices.data?.invoices,
            decisions.data,
          )
        : joinFleet(fleet.data ?? [], invoices.data?.invoices, decisions.data),
    [fleet.data, fleet.error, tenants.data, invoices.data, decisions.data],
  );
  const shown = sortEntries(filterEntries(all, view.health, view.breaching, text), view.sorting);
  const refresh = () => {
    void fleet.refetch();
    void invoices.refetch();
    void decisions.refetch();
  };

  if (fleet.data === undefined && (fleet.error === null || tenants.data === undefined)) {
    return (
      <div className="page">
        <h1>Fleet</h1>
        {fleet.error === null ? (
          <SkeletonRows rows={12} label="Reading the fleet" />
        ) : (
          <ErrorState what="The fleet could not be read" error={fleet.error} onRetry={refresh} />
        )}
      </div>
    );
  }
  const totals = billTotals(all);
  const billReason = (tenant: string): string | null => {
    if (invoices.error !== null) return `Invoices could not be read: ${codeOf(invoices.error)}`;
    const failure = invoices.data?.failures.get(tenant);
    if (failure !== undefined) return `${failure.detail} (${failure.code})`;
    return invoices.isPending ? null : 'No invoice for this period yet';
  };
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>{all.length === 0 ? 'Fleet' : fleetSentence(all)}</h1>
          <p className="page-note">
            Bills of the running month so far:{' '}
            <strong>{totals !== '' ? totals : invoices.isPending ? '…' : missing}</strong>
          </p>
          <BackupNote />
        </div>
        <Updated at={fleet.dataUpdatedAt} failed={fleet.error !== null} busy={fleet.isFetching} onRefresh={refresh} />
      </header>
      {fleet.error !== null && (
        <ErrorState
          compact
          what={
            fleet.data === undefined
              ? 'Health, attainment and customers could not be read'
              : 'The fleet could not be refreshed; older figures are shown'
          }
          error={fleet.error}
          onRetry={refresh}
        />
      )}
      {invoices.error !== null && (
        <ErrorState
          compact
          what="Bills could not be read"
          error={invoices.error}
          onRetry={() => void invoices.refetch()}
        />
      )}
      {decisions.error !== null && (
        <ErrorState
          compact
          what="Decisions could not be read"
          error={decisions.error}
          onRetry={() => void decisions.refetch()}
        />
      )}
      {all.length === 0 ? (
        <EmptyState title="No tenant yet">
          <p>Create the first one; it appears here as soon as it exists.</p>
          <pre className="command">
            {
              'curl -X POST http://127.0.0.1:8000/api/v1/tenants \\\n  -H "Authorization: Bearer $PULSE_TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d \'{"id":"isp-alpha","name":"ISP Alpha"}\''
            }
          </pre>
        </EmptyState>
      ) : (
        <>
          <FleetFilters all={all} shown={shown.length} controls={controls} />
          {shown.length === 0 ? (
            <EmptyState title="No tenant matches these filters">
              <button type="button" className="button" onClick={controls.clearFilters}>
                Clear the filters
              </button>
            </EmptyState>
          ) : (
            <FleetTable
              entries={shown}
              sorting={view.sorting}
              hidden={view.hidden}
              billReason={billReason}
              onSort={controls.sortBy}
            />
          )}
        </>
      )}
    </div>
  );
}
