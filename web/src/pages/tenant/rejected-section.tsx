import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { RejectedCount, Tenant } from 'streams/contract';
import { rejectedQuery } from '../../api/queries.ts';
import { useSession } from '../../api/session.tsx';
import { TimeChart } from '../../charts/time-chart.tsx';
import { EmptyState, ErrorState, SkeletonRows } from '../../components/feedback.tsx';
import { ScrollBox } from '../../components/scroll-box.tsx';
import { Section } from '../../components/section.tsx';
import { formatCount } from '../../format/figure.ts';
import type { TimeRange } from '../../format/range.ts';
import { formatInstant, formatRelative } from '../../format/time.ts';
import { useTimeRange } from '../../frame/range-picker.tsx';
import { byReason, countsRequests, linesByReason, type ReasonRow, reasonText } from './rejected-reasons.ts';

/** What the instance sent that was not taken, why, and what to do about it. */
export function RejectedSection({ tenant }: { readonly tenant: Tenant }) {
  const { token } = useSession();
  const { range } = useTimeRange();
  const rejected = useQuery(rejectedQuery(token, tenant.id, range));
  return (
    <Section id="rejected" title="Rejected data and why" note="by hour of receipt, kept for 35 days">
      {rejected.data === undefined ? (
        rejected.error === null ? (
          <SkeletonRows rows={3} label="Reading what was rejected" />
        ) : (
          <ErrorState
            what="What was rejected could not be read"
            error={rejected.error}
            onRetry={() => void rejected.refetch()}
          />
        )
      ) : rejected.data.length === 0 ? (
        <EmptyState title="Everything was taken in this time">
          Records beyond a limit, too old or malformed would be listed here with the reason and what to do.
        </EmptyState>
      ) : (
        <Rejected tenant={tenant} counts={rejected.data} range={range} stale={rejected.isPlaceholderData} />
      )}
    </Section>
  );
}

const hourMs = 3_600_000;

function Rejected(props: {
  readonly tenant: Tenant;
  readonly counts: readonly RejectedCount[];
  readonly range: TimeRange;
  readonly stale: boolean;
}) {
  const { tenant, counts, range } = props;
  const { setRange } = useTimeRange();
  // Whole hours: the counts have no finer time.
  const from = Math.floor(range.from / hourMs) * hourMs;
  const to = Math.max(Math.ceil(range.to / hourMs) * hourMs, from + 2 * hourMs);
  const series = useMemo(
    () =>
      linesByReason(counts, from, to).map((line, index) => ({ ...line, colour: `series-${index + 1}`, stepped: true })),
    [counts, from, to],
  );
  return (
    <>
      <TimeChart
        title="Rejected an hour"
        unit="records or requests"
        series={series}
        timeZone={tenant.timeZone}
        stepMs={hourMs}
        from={from}
        to={to}
        fileName={`${tenant.id}-rejected`}
        cursorKey="page"
        zeroBased
        stale={props.stale}
        onZoom={(zoomFrom, zoomTo) => setRange({ from: zoomFrom, to: Math.min(zoomTo, Date.now()) })}
      />
      <ReasonTable rows={byReason(counts)} timeZone={tenant.timeZone} />
    </>
  );
}

/** Requests that were refused whole, or records that were refused alone. */
function unitOf({ reason, records }: ReasonRow): string {
  const unit = countsRequests(reason) ? 'request' : 'record';
  return records === 1 ? unit : `${unit}s`;
}

function ReasonTable({ rows, timeZone }: { readonly rows: readonly ReasonRow[]; readonly timeZone: string }) {
  return (
    <ScrollBox className="table-scroll" label="Rejected data by reason">
      <table className="table figures-table rejected-table">
        <thead>
          <tr>
            <th scope="col">Reason</th>
            <th scope="col" className="wide-only">
              Signal
            </th>
            <th scope="col" className="right">
              Rejected
            </th>
            <th scope="col" className="right">
              Last
            </th>
            <th scope="col" className="wide-only">
              What to do
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.signal}|${row.reason}`}>
              <th scope="row" title={row.reason} className="rejected-reason">
                {reasonText(row.reason).what}
                {row.detail !== '' && <span className="rejected-detail">{row.detail}</span>}
                <span className="rejected-detail narrow-only">
                  {row.signal}. {reasonText(row.reason).todo}
                </span>
              </th>
              <td className="wide-only">{row.signal}</td>
              <td className="right nowrap" title={String(row.records)}>
                {formatCount(row.records)} {unitOf(row)}
              </td>
              <td className="right nowrap" title={formatInstant(row.lastAt, timeZone)}>
                {formatRelative(Date.parse(row.lastAt), Date.now())}
              </td>
              <td className="soft wide-only rejected-todo">{reasonText(row.reason).todo}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
