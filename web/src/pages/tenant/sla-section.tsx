import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { SlaReport, Tenant } from 'streams/contract';
import { slaQuery } from '../../api/queries.ts';
import { useSession } from '../../api/session.tsx';
import { ErrorState, Skeleton } from '../../components/feedback.tsx';
import { Icon } from '../../components/icon.tsx';
import { ScrollBox } from '../../components/scroll-box.tsx';
import { Section } from '../../components/section.tsx';
import { formatAttainment, formatBudget, formatPercent } from '../../format/figure.ts';
import { dayOf, daysOf, formatDay, formatDuration, formatPeriod } from '../../format/time.ts';

/** Seconds of the error budget and what is left of them: the budget is the unpromised part of the measured time. */
export function budgetSeconds(report: SlaReport): { total: number; left: number } | null {
  if (report.budgetRemaining === null) return null;
  const total = (1 - report.objective) * report.measuredSeconds;
  return { total, left: total * report.budgetRemaining };
}

/** The promise, how it was kept day by day, and what is left of the error budget. */
export function SlaSection({ tenant, period }: { readonly tenant: Tenant; readonly period: string }) {
  const { token } = useSession();
  const sla = useQuery(slaQuery(token, tenant.id, period));
  return (
    <Section id="service-level" title="Service level" note={`${formatPeriod(period)}, days in ${tenant.timeZone}`}>
      {sla.data !== undefined ? (
        <SlaReportView report={sla.data} />
      ) : sla.error !== null ? (
        <ErrorState what="The service level could not be read" error={sla.error} onRetry={() => void sla.refetch()} />
      ) : (
        <Skeleton height={188} label="Reading the service level" />
      )}
    </Section>
  );
}

function SlaReportView({ report }: { readonly report: SlaReport }) {
  const budget = budgetSeconds(report);
  const over = budget !== null && budget.left < 0;
  const whole = report.measuredSeconds + report.unmeasuredSeconds;
  return (
    <div className="sla">
      <dl className="sla-figures">
        <div>
          <dt>Attainment</dt>
          <dd
            className={report.attainment !== null && report.attainment < report.objective ? 'tone-critical' : undefined}
          >
            {formatAttainment(report.attainment)}
          </dd>
          <dd className="sub">
            {report.attainment === null ? 'no minute was measured' : `promised ${formatAttainment(report.objective)}`}
          </dd>
        </div>
        <div>
          <dt>Error budget</dt>
          <dd className={over ? 'tone-critical' : undefined}>
            {budget === null ? '–' : over ? `${formatBudget(-budget.left)} over` : `${formatBudget(budget.left)} left`}
          </dd>
          <dd className="sub">{budget === null ? 'nothing measured yet' : `of ${formatBudget(budget.total)}`}</dd>
        </div>
        <div>
          <dt>Bad time</dt>
          <dd title={`${report.badSeconds} seconds`}>{formatDuration(report.badSeconds * 1000)}</dd>
          <dd className="sub">a probe down or too many errors</dd>
        </div>
        <div>
          <dt>Measured</dt>
          <dd title={`${report.measuredSeconds} of ${whole} seconds`}>
            {whole === 0 ? '–' : formatPercent(Math.floor((report.measuredSeconds / whole) * 100) / 100)}
          </dd>
          <dd className="sub">{formatDuration(report.unmeasuredSeconds * 1000)} without measurement</dd>
        </div>
      </dl>
      <DayStrip report={report} />
    </div>
  );
}

type Day = SlaReport['days'][number];

function DayStrip({ report }: { readonly report: SlaReport }) {
  const [asTable, setAsTable] = useState(false);
  const byDay = new Map(report.days.map((day) => [day.day, day]));
  const today = dayOf(Date.now(), report.timeZone);
  return (
    <div className="day-strip-box">
      <div className="day-strip-head">
        <ul className="legend inline">
          <li>
            <i className="swatch day-good" /> kept
          </li>
          <li>
            <i className="swatch day-bad" /> bad time
          </li>
          <li>
            <i className="swatch day-gap" /> not measured
          </li>
        </ul>
        <button
          type="button"
          className="icon-button small"
          aria-pressed={asTable}
          onClick={() => setAsTable(!asTable)}
          aria-label={asTable ? 'Show the days as bars' : 'Show the days as a table'}
          title={asTable ? 'Show as bars' : 'Show as a table'}
        >
          <Icon name={asTable ? 'chart' : 'table'} size={14} />
        </button>
      </div>
      {asTable ? (
        <DayTable days={report.days} />
      ) : (
        <div
          className="day-strip"
          role="img"
          aria-label={`Bars of ${report.days.length} days; the button beside shows them as a table`}
        >
          {daysOf(report.period).map((name) => (
            <DayBar key={name} name={name} day={byDay.get(name)} future={name > today} />
          ))}
        </div>
      )}
    </div>
  );
}

function dayTitle(name: string, day: Day | undefined, future: boolean): string {
  if (day === undefined) return `${formatDay(name)}: ${future ? 'still to come' : 'not measured'}`;
  const bad = day.badSeconds > 0 ? `, ${formatDuration(day.badSeconds * 1000)} bad` : '';
  const gap = day.unmeasuredSeconds > 0 ? `, ${formatDuration(day.unmeasuredSeconds * 1000)} not measured` : '';
  return `${formatDay(name)}: ${formatAttainment(day.attainment)}${bad}${gap}`;
}

function DayBar(props: { readonly name: string; readonly day: Day | undefined; readonly future: boolean }) {
  const { name, day, future } = props;
  const title = dayTitle(name, day, future);
  if (day === undefined || future) {
    return <i className={future ? 'day day-future' : 'day day-gap'} title={title} />;
  }
  const whole = Math.max(1, day.measuredSeconds + day.unmeasuredSeconds);
  // Bad time is minutes of a day: the bar grows with its square root, so that five minutes are seen and an hour is not the whole.
  const bad = day.badSeconds === 0 ? 0 : Math.max(12, Math.sqrt(day.badSeconds / whole) * 100);
  const gap = Math.min(100 - bad, (day.unmeasuredSeconds / whole) * 100);
  return (
    <i className="day" title={title}>
      <b className="day-gap" style={{ height: `${gap}%` }} />
      <b className="day-good" style={{ height: `${100 - gap - bad}%` }} />
      <b className="day-bad" style={{ height: `${bad}%` }} />
    </i>
  );
}

function DayTable({ days }: { readonly days: readonly Day[] }) {
  return (
    <ScrollBox className="table-scroll day-table" label="Service level by day">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Day</th>
            <th scope="col" className="right">
              Attainment
            </th>
            <th scope="col" className="right">
              Bad
            </th>
            <th scope="col" className="right">
              Measured
            </th>
            <th scope="col" className="right">
              Not measured
            </th>
          </tr>
        </thead>
        <tbody>
          {days.toReversed().map((day) => (
            <tr key={day.day}>
              <th scope="row">{formatDay(day.day)}</th>
              <td className="right">{formatAttainment(day.attainment)}</td>
              <td className="right">{formatDuration(day.badSeconds * 1000)}</td>
              <td className="right">{formatDuration(day.measuredSeconds * 1000)}</td>
              <td className="right">{formatDuration(day.unmeasuredSeconds * 1000)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
