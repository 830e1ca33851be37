import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useMemo } from 'react';
import type { MetricRange, Tenant } from 'streams/contract';
import { forecastQuery, type RangeRequest, rangeQuery } from '../../api/queries.ts';
import { useSession } from '../../api/session.tsx';
import type { ChartSeries } from '../../charts/series.ts';
import { topSeries } from '../../charts/series.ts';
import { StateTimeline } from '../../charts/state-timeline.tsx';
import { chartHeight, TimeChart } from '../../charts/time-chart.tsx';
import { ErrorState, Skeleton } from '../../components/feedback.tsx';
import { Section } from '../../components/section.tsx';
import { stepSeconds, stepText, type TimeRange } from '../../format/range.ts';
import { formatDuration } from '../../format/time.ts';
import { useTimeRange } from '../../frame/range-picker.tsx';
import { gib, tierLimits } from './tiers.ts';

interface ChartContext {
  readonly tenant: Tenant;
  readonly range: TimeRange;
  readonly stepS: number;
  readonly onZoom: (from: number, to: number) => void;
}

/** What the instance did over the chosen time, and what its customers will probably do. */
export function TelemetrySection({ tenant }: { readonly tenant: Tenant }) {
  const { range, setRange } = useTimeRange();
  const stepS = stepSeconds(range, Date.now());
  const context: ChartContext = {
    tenant,
    range,
    stepS,
    onZoom: (from, to) => {
      // A chart with a forecast reaches into the future, where nothing is measured.
      const end = Math.min(to, Date.now());
      if (end - from > 60_000) setRange({ from, to: end });
    },
  };
  const limits = tierLimits[tenant.tier];
  return (
    <Section
      id="charts"
      title="Telemetry"
      note={`one point every ${formatDuration(stepS * 1000)}; drag in a chart to look closer`}
      actions={
        range.preset === null && (
          <button type="button" className="button" onClick={() => setRange('24h')}>
            Back to the last 24 hours
          </button>
        )
      }
    >
      <HealthTimeline {...context} />
      <div className="charts">
        <ForecastChart {...context} />
        <MetricChart
          {...context}
          title={`CPU in use, of ${limits.cpu} in the ${tenant.tier} tier`}
          fills="CPU"
          unit="cores"
          metrics={[
            { metric: 'container.cpu.usage', aggregate: 'avg', label: 'CPU', colour: 'series-1', filled: true },
          ]}
          limit={{ label: 'tier limit', value: limits.cpu }}
        />
        <MetricChart
          {...context}
          title="Requests"
          fills="requests"
          unit="req/s"
          metrics={[
            {
              metric: 'http.server.request.duration',
              aggregate: 'rate',
              label: 'requests',
              colour: 'series-3',
              filled: true,
            },
          ]}
        />
        <MetricChart
          {...context}
          title="Response time, 95th percentile"
          fills="response times"
          unit="ms"
          scale={1000}
          metrics={[{ metric: 'http.server.request.duration', aggregate: 'p95', label: 'p95', colour: 'series-4' }]}
        />
        <MetricChart
          {...context}
          title="Network traffic"
          fills="traffic"
          unit="Mbit/s"
          scale={8 / 1e6}
          metrics={[
            {
              metric: 'dotmac.network.interface.io',
              aggregate: 'rate',
              groupBy: 'network.io.direction',
              label: 'traffic',
              colour: 'series-1',
            },
          ]}
        />
        <MetricChart
          {...context}
          title={`Storage, of ${limits.storageGb} GB in the ${tenant.tier} tier`}
          fills="storage"
          unit="GB"
          scale={1 / gib}
          metrics={[
            { metric: 'dotmac.storage.usage', aggregate: 'avg', label: 'storage', colour: 'series-6', filled: true },
          ]}
          limit={{ label: 'included in the tier', value: limits.storageGb }}
        />
      </div>
    </Section>
  );
}

interface MetricChartProps extends ChartContext {
  readonly title: string;
  /** What the reader sees once the metric is sent. */
  readonly fills: string;
  readonly unit: string;
  readonly scale?: number;
  readonly metrics: readonly (RangeRequest & { label: string; colour: string; filled?: boolean })[];
  readonly limit?: { readonly label: string; readonly value: number };
  readonly note?: string;
}

function labelOf(attributes: Record<string, string>, fallback: string): string {
  const text = Object.values(attributes).join(' ');
  return text === '' ? fallback : text;
}

/** Turns an answer of the store into lines; a metric without attributes is one line of the given name. */
function linesOf(answer: MetricRange, wanted: MetricChartProps['metrics'][number], scale: number): ChartSeries[] {
  const named = answer.series.map((series) => ({
    label: labelOf(series.attributes, wanted.label),
    points: series.points.map(([time, value]) => [time, value * scale] as const),
  }));
  return topSeries(named).map((series, index) => ({
    ...series,
    colour: named.length === 1 ? wanted.colour : `series-${index + 1}`,
    filled: wanted.filled === true && named.length === 1,
  }));
}

function MetricChart(props: MetricChartProps) {
  const { tenant, range, stepS, metrics, limit, scale = 1 } = props;
  const { token } = useSession();
  // One metric a chart today; the list keeps the door open without a hook in a loop.
  const wanted = metrics[0];
  if (wanted === undefined) throw new Error('invariant: a chart has a metric');
  const answer = useQuery(rangeQuery(token, tenant.id, range, stepText(stepS), wanted));
  const series = useMemo((): ChartSeries[] => {
    if (answer.data === undefined) return [];
    const lines = linesOf(answer.data, wanted, scale);
    if (limit === undefined || lines.length === 0) return lines;
    const points = [[range.from, limit.value] as const, [range.to, limit.value] as const];
    return [...lines, { label: limit.label, colour: 'critical', dashed: true, continuous: true, points }];
  }, [answer.data, wanted, scale, limit, range.from, range.to]);
  return (
    <ChartFrame
      title={props.title}
      metric={wanted.metric}
      fills={props.fills}
      query={answer}
      empty={series.every((line) => line.points.length === 0)}
    >
      <TimeChart
        title={props.title}
        unit={props.unit}
        series={series}
        timeZone={tenant.timeZone}
        stepMs={stepS * 1000}
        from={range.from}
        to={range.to}
        fileName={`${tenant.id}-${wanted.metric}`}
        cursorKey="page"
        zeroBased
        stale={answer.isPlaceholderData}
        onZoom={props.onZoom}
        {...(props.note === undefined ? {} : { note: props.note })}
      />
    </ChartFrame>
  );
}

/** The size of a chart in every state: loading, failed, empty, drawn. */
function ChartFrame(props: {
  readonly title: string;
  readonly metric: string;
  readonly fills: string;
  readonly query: { readonly data: unknown; readonly error: unknown; readonly refetch: () => unknown };
  readonly empty: boolean;
  readonly children: ReactNode;
}) {
  const { query, title } = props;
  if (query.data !== undefined && !props.empty) return props.children;
  return (
    <figure className="chart">
      <figcaption>
        <h3>{title}</h3>
      </figcaption>
      {query.data !== undefined ? (
        <div className="chart-empty" style={{ minHeight: chartHeight }}>
          <p>
            Nothing measured in this time. Send <code>{props.metric}</code> to see {props.fills}.
          </p>
        </div>
      ) : query.error !== null ? (
        <div className="chart-empty" style={{ minHeight: chartHeight }}>
          <ErrorState
            compact
            what="This chart could not be read"
            error={query.error}
            onRetry={() => void query.refetch()}
          />
        </div>
      ) : (
        <Skeleton height={chartHeight} label={`Reading: ${title}`} />
      )}
    </figure>
  );
}

const dayMs = 86_400_000;
const customersMetric = 'dotmac.customers.active';

function ForecastChart(props: ChartContext) {
  const { tenant, onZoom } = props;
  const { token } = useSession();
  const answer = useQuery(forecastQuery(token, tenant.id, customersMetric, 30));
  const series = useMemo((): ChartSeries[] => {
    if (answer.data === undefined) return [];
    const { history, forecast, interval } = answer.data;
    const measured: ChartSeries = { label: 'measured, a day', colour: 'series-1', points: history };
    if (forecast.length === 0) return [measured];
    return [
      measured,
      {
        label: `forecast with ${Math.round(interval * 100)} % interval`,
        colour: 'series-2',
        dashed: true,
        continuous: true,
        points: forecast.map((point) => [point.time, point.mean] as const),
        band: forecast.map((point) => [point.time, point.lower, point.upper] as const),
      },
    ];
  }, [answer.data]);
  const from = answer.data?.history[0]?.[0] ?? Date.now() - 90 * dayMs;
  const to = answer.data?.forecast.at(-1)?.time ?? Date.now();
  const title = 'Active customers and the next 30 days';
  // Before the first whole day there is no daily history: what was measured so far is shown instead.
  if (answer.data?.history.length === 0) {
    return (
      <MetricChart
        {...props}
        title={title}
        fills="customers"
        unit="customers"
        metrics={[{ metric: customersMetric, aggregate: 'avg', label: 'measured', colour: 'series-1' }]}
        note={`No forecast: ${answer.data.reason}`}
      />
    );
  }
  return (
    <ChartFrame title={title} metric={customersMetric} fills="customers" query={answer} empty={false}>
      <TimeChart
        title={title}
        unit="customers"
        series={series}
        timeZone={tenant.timeZone}
        stepMs={dayMs}
        from={from}
        to={to}
        fileName={`${tenant.id}-${customersMetric}-forecast`}
        onZoom={onZoom}
        {...(answer.data?.forecast.length === 0 ? { note: `No forecast: ${answer.data.reason}` } : {})}
      />
    </ChartFrame>
  );
}

function HealthTimeline({ tenant, range, stepS }: ChartContext) {
  const { token } = useSession();
  const wanted: RangeRequest = { metric: 'dotmac.health.status', aggregate: 'min', groupBy: 'component' };
  const answer = useQuery(rangeQuery(token, tenant.id, range, stepText(stepS), wanted));
  const tracks = (answer.data?.series ?? [])
    .map((series) => ({ label: labelOf(series.attributes, 'instance'), points: series.points }))
    .toSorted((a, b) => a.label.localeCompare(b.label));
  return (
    <ChartFrame
      title="Health by component"
      metric={wanted.metric}
      fills="health"
      query={answer}
      empty={tracks.length === 0}
    >
      <figure className={answer.isPlaceholderData ? 'chart stale' : 'chart'}>
        <figcaption>
          <h3>Health by component</h3>
          <ul className="legend inline">
            <li>
              <i className="swatch span-up" /> up
            </li>
            <li>
              <i className="swatch span-down" />{' '}
              {stepS > 300 ? `down at some time of ${formatDuration(stepS * 1000)}` : 'down'}
            </li>
            <li>
              <i className="swatch span-gap" /> not measured
            </li>
          </ul>
        </figcaption>
        <StateTimeline
          tracks={tracks}
          // Probes come at most every five minutes; a finer bucket would show gaps between them.
          stepMs={Math.max(stepS, 300) * 1000}
          from={range.from}
          to={range.to}
          timeZone={tenant.timeZone}
        />
      </figure>
    </ChartFrame>
  );
}
