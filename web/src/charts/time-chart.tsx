import { useEffect, useId, useMemo, useRef, useState } from 'react';
import type uPlot from 'uplot';
import { downloadText } from '../components/download.ts';
import { Icon } from '../components/icon.tsx';
import { ScrollBox } from '../components/scroll-box.tsx';
import { toCsv } from '../format/csv.ts';
import { formatValue } from '../format/figure.ts';
import { formatInstant } from '../format/time.ts';
import { usePaintedTheme } from '../theme/theme.ts';
import { createPlot } from './plot.ts';
import { type AlignedColumns, alignSeries, type ChartSeries, measuredSpan } from './series.ts';

export interface TimeChartProps {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly ChartSeries[];
  readonly timeZone: string;
  readonly stepMs: number;
  /** Span of the axis in milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly fileName: string;
  /** Charts with the same key share the cursor. */
  readonly cursorKey?: string;
  /** Zero stands on the axis: for areas and amounts. */
  readonly zeroBased?: boolean;
  readonly stale?: boolean;
  readonly note?: string;
  readonly onZoom: (from: number, to: number) => void;
}

/** Height of the plot; skeletons use it so that nothing jumps. */
export const chartHeight = 190;

interface Hover {
  readonly index: number;
  readonly left: number;
}

/** A chart over time with its legend, hover table, table twin and CSV. */
export function TimeChart(props: TimeChartProps) {
  const [asTable, setAsTable] = useState(false);
  const { series, stepMs, title } = props;
  const titleId = useId();
  const data = useMemo(
    () =>
      alignSeries(
        series.map((line) => line.points),
        stepMs,
        series.map((line) => line.continuous === true),
      ),
    [series, stepMs],
  );
  const [first, end] = measuredSpan(data, series);
  const save = () => {
    const rows = data.times
      .slice(first, end)
      .map((time, position) => [
        new Date(time * 1000).toISOString(),
        ...data.columns.map((column) => column[first + position] ?? null),
      ]);
    downloadText(
      `${props.fileName}.csv`,
      'text/csv',
      toCsv(['time', ...series.map((line) => `${line.label} (${props.unit})`)], rows),
    );
  };
  return (
    <figure className={props.stale === true ? 'chart stale' : 'chart'} aria-labelledby={titleId}>
      <figcaption>
        <h3 id={titleId}>{title}</h3>
        <span className="chart-unit">{props.unit}</span>
        <span className="chart-tools">
          <button
            type="button"
            className="icon-button small"
            aria-pressed={asTable}
            onClick={() => setAsTable(!asTable)}
            aria-label={`${asTable ? 'Chart' : 'Table'} of: ${title}`}
            title={asTable ? 'Show as a chart' : 'Show as a table'}
          >
            <Icon name={asTable ? 'chart' : 'table'} size={14} />
          </button>
          <button
            type="button"
            className="icon-button small"
            onClick={save}
            aria-label={`Download as CSV: ${title}`}
            title="Download as CSV"
          >
            <Icon name="download" size={14} />
          </button>
        </span>
      </figcaption>
      {asTable ? <TableTwin {...props} data={data} /> : <Plot {...props} data={data} />}
      <Legend series={series} note={props.note} />
    </figure>
  );
}

function Legend({ series, note }: { readonly series: readonly ChartSeries[]; readonly note: string | undefined }) {
  return (
    <ul className="legend">
      {series.map((line) => (
        <li key={line.label}>
          <svg width="18" height="10" aria-hidden="true">
            {line.band !== undefined && <rect width="18" height="10" fill={`var(--${line.colour})`} opacity="0.2" />}
            <path
              d="M0 5H18"
              stroke={`var(--${line.colour})`}
              strokeWidth="2"
              strokeDasharray={line.dashed === true ? '5 3' : undefined}
            />
          </svg>
          {line.label}
        </li>
      ))}
      {note !== undefined && <li className="legend-note">{note}</li>}
    </ul>
  );
}

function Plot(props: TimeChartProps & { readonly data: AlignedColumns }) {
  const { data, series, timeZone, from, to, onZoom, cursorKey, zeroBased } = props;
  const theme = usePaintedTheme();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [hover, setHover] = useState<Hover | null>(null);
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  const shape = series
    .map((line) => `${line.label}|${line.colour}|${line.dashed}|${line.band !== undefined}`)
    .join('\n');

  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for the series, `theme` for the colours; data and span follow in the next effect
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const created = createPlot(element, {
      series,
      timeZone,
      cursorKey: cursorKey ?? null,
      zeroBased: zeroBased === true,
      height: chartHeight,
      onHover: (index, left) => setHover(index === null ? null : { index, left }),
      onZoom: (zoomFrom, zoomTo) => zoom.current(zoomFrom, zoomTo),
    });
    plot.current = created;
    const observer = new ResizeObserver(() => created.setSize({ width: element.clientWidth, height: chartHeight }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      created.destroy();
      plot.current = null;
      setHover(null);
    };
  }, [shape, theme, timeZone, cursorKey, zeroBased]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot that was made anew needs its data again
  useEffect(() => {
    const current = plot.current;
    if (current === null) return;
    const bands = series.flatMap((line) => {
      if (line.band === undefined) return [];
      const lower = new Map(line.band.map(([time, low]) => [time / 1000, low]));
      const upper = new Map(line.band.map(([time, , high]) => [time / 1000, high]));
      return [data.times.map((time) => upper.get(time) ?? null), data.times.map((time) => lower.get(time) ?? null)];
    });
    current.batch(() => {
      current.setData([data.times, ...data.columns, ...bands], true);
      current.setScale('x', { min: from / 1000, max: to / 1000 });
    });
  }, [data, from, to, shape, theme, timeZone, cursorKey, zeroBased]);

  return (
    <div className="plot-box" style={{ height: chartHeight }}>
      <div ref={box} className="plot" aria-hidden="true" />
      {hover !== null && <HoverTable {...props} hover={hover} width={box.current?.clientWidth ?? 0} />}
    </div>
  );
}

function HoverTable(
  props: TimeChartProps & { readonly data: AlignedColumns; readonly hover: Hover; readonly width: number },
) {
  const { data, hover, series, timeZone, unit } = props;
  const time = data.times[hover.index];
  if (time === undefined) return null;
  const rows = series
    .map((line, index) => ({ line, value: data.columns[index]?.[hover.index] ?? null }))
    .filter(({ value }) => value !== null)
    .toSorted((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const onRight = hover.left > props.width / 2;
  return (
    <div className="hover-table" style={onRight ? { right: props.width - hover.left + 12 } : { left: hover.left + 12 }}>
      <div className="hover-time">{formatInstant(time * 1000, timeZone)}</div>
      {rows.length === 0 && <div className="hover-none">not measured</div>}
      {rows.map(({ line, value }) => (
        <div key={line.label} className="hover-row">
          <i style={{ background: `var(--${line.colour})` }} />
          <span>{line.label}</span>
          <b>
            {formatValue(value)} {unit}
          </b>
        </div>
      ))}
    </div>
  );
}

const tableRowsMax = 200;

function TableTwin(props: TimeChartProps & { readonly data: AlignedColumns }) {
  const { data, series, timeZone, unit } = props;
  const [first, end] = measuredSpan(data, series);
  const rows = data.times
    .map((time, index) => ({ time, index }))
    .slice(first, end)
    .toReversed();
  return (
    <ScrollBox className="table-twin" height={chartHeight} label={`Table: ${props.title}`}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map((line) => (
              <th key={line.label} scope="col" className="right">
                {line.label}, {unit}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, tableRowsMax).map(({ time, index }) => (
            <tr key={time}>
              <th scope="row">{formatInstant(time * 1000, timeZone)}</th>
              {series.map((line, column) => (
                <td key={line.label} className="right">
                  {formatValue(data.columns[column]?.[index] ?? null)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > tableRowsMax && (
        <p className="hint">
          The newest {tableRowsMax} of {rows.length}; the CSV has all.
        </p>
      )}
    </ScrollBox>
  );
}
