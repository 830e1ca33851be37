import uPlot from 'uplot';
import { formatValue } from '../format/figure.ts';
import { locale } from '../format/locale.ts';
import { tokenColour } from '../theme/theme.ts';
import type { ChartSeries } from './series.ts';

export interface PlotOptions {
  readonly series: readonly ChartSeries[];
  readonly timeZone: string;
  readonly cursorKey: string | null;
  readonly zeroBased: boolean;
  readonly height: number;
  readonly onHover: (index: number | null, left: number) => void;
  readonly onZoom: (from: number, to: number) => void;
}

const font = '11px "Inter Variable", system-ui, sans-serif';

function timeLabels(timeZone: string) {
  const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, { timeZone, ...options });
  const clock = format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const day = format({ day: 'numeric', month: 'short' });
  return (_plot: uPlot, splits: number[]) => {
    const span = (splits.at(-1) ?? 0) - (splits[0] ?? 0);
    return splits.map((time) => {
      const at = time * 1000;
      if (span > 3 * 86_400) return day.format(at);
      const text = clock.format(at);
      return text === '00:00' ? day.format(at) : text;
    });
  };
}

/** Points without a neighbour: no line leads to them, so they are dots or they are not seen. */
function isolated(plot: uPlot, seriesIndex: number): number[] | null {
  const values = plot.data[seriesIndex] ?? [];
  const alone: number[] = [];
  values.forEach((value, index) => {
    const joined = (values[index - 1] ?? null) !== null || (values[index + 1] ?? null) !== null;
    if ((value ?? null) !== null && !joined) alone.push(index);
  });
  return alone.length === 0 ? null : alone;
}

/** Line and, for a forecast, the two invisible edges of its band, in the order of the data columns. */
function seriesOptions(lines: readonly ChartSeries[]): { series: uPlot.Series[]; bands: uPlot.Band[] } {
  const steps = uPlot.paths.stepped?.({ align: 1, extend: true });
  const shown = lines.map((line): uPlot.Series => {
    const stroke = tokenColour(line.colour);
    return {
      label: line.label,
      stroke,
      width: 1.6,
      points: { show: false, size: 5, fill: stroke, filter: isolated },
      spanGaps: false,
      ...(line.stepped === true && steps !== undefined ? { paths: steps } : {}),
      ...(line.dashed === true ? { dash: [6, 4] } : {}),
      ...(line.filled === true ? { fill: tokenColour(line.colour, 0.12) } : {}),
    };
  });
  const edges: uPlot.Series[] = [];
  const bands: uPlot.Band[] = [];
  for (const line of lines) {
    if (line.band === undefined) continue;
    const upper = 1 + lines.length + edges.length;
    const edge = { stroke: tokenColour(line.colour, 0.25), width: 1, points: { show: false } };
    edges.push({ label: `${line.label}, upper`, ...edge }, { label: `${line.label}, lower`, ...edge });
    bands.push({ series: [upper, upper + 1], fill: tokenColour(line.colour, 0.16) });
  }
  return { series: [...shown, ...edges], bands };
}

/** Draws a uPlot in the theme's colours; data and span are set by the caller. */
export function createPlot(element: HTMLElement, options: PlotOptions): uPlot {
  const { series, bands } = seriesOptions(options.series);
  const axis = {
    stroke: tokenColour('text-soft'),
    font,
    grid: { stroke: tokenColour('line'), width: 1 },
    ticks: { show: false },
  };
  return new uPlot(
    {
      width: Math.max(element.clientWidth, 100),
      height: options.height,
      legend: { show: false },
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), options.timeZone),
      scales: {
        x: { time: true },
        y: {
          range: (_plot, low, high) => {
            if (low === null || high === null) return [0, 1];
            const [bottom, top] = uPlot.rangeNum(
              low,
              high === low ? high + Math.max(1, Math.abs(high) * 0.1) : high,
              0.1,
              true,
            );
            return [options.zeroBased || (low >= 0 && (bottom ?? 0) < 0) ? 0 : (bottom ?? low), top ?? high];
          },
        },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 28, space: 64, values: timeLabels(options.timeZone) },
        { ...axis, size: 48, gap: 6, space: 36, values: (_plot, splits) => splits.map((value) => formatValue(value)) },
      ],
      series: [{}, ...series],
      bands,
      cursor: {
        y: false,
        points: { size: 6 },
        drag: { x: true, y: false, setScale: false },
        ...(options.cursorKey === null
          ? {}
          : { sync: { key: options.cursorKey, setSeries: false, scales: ['x', null] } }),
      },
      hooks: {
        setCursor: [
          (plot) => {
            // Every chart follows the cursor, only the one under the mouse shows its table.
            const own = plot.over.matches(':hover');
            const index = own ? (plot.cursor.idx ?? null) : null;
            options.onHover(index, (plot.cursor.left ?? 0) + plot.over.offsetLeft);
          },
        ],
        setSelect: [
          (plot) => {
            if (plot.select.width < 6) return;
            const from = plot.posToVal(plot.select.left, 'x') * 1000;
            const to = plot.posToVal(plot.select.left + plot.select.width, 'x') * 1000;
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            options.onZoom(from, to);
          },
        ],
      },
    },
    [[]],
    element,
  );
}
