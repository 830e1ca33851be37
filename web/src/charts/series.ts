/** A line of a chart. Points are `[milliseconds, value]` in order; what was not measured is absent. */
export interface ChartSeries {
  readonly label: string;
  /** Colour token, `series-1` … `series-8`, or a meaning such as `critical`. */
  readonly colour: string;
  readonly points: readonly (readonly [number, number])[];
  /** Solid is measured, dashed is a limit or a forecast. */
  readonly dashed?: boolean;
  /** Interval of a forecast around the points, same times. */
  readonly band?: readonly (readonly [number, number, number])[];
  readonly filled?: boolean;
  /** A value is that of its whole step, such as a count of an hour, and not of a moment. */
  readonly stepped?: boolean;
  /** Whether distance between points means a gap; false for limits. */
  readonly continuous?: boolean;
}

/** Columns as uPlot takes them: seconds first, then a column a series; null is a gap. */
export interface AlignedColumns {
  readonly times: number[];
  readonly columns: (number | null)[][];
}

/**
 * Puts series on one time axis and makes missing buckets visible as nulls.
 *
 * *Shape* where two times of a series are more than 1.5 steps apart a time with null is put between them, so that the line breaks.
 */
export function alignSeries(
  series: readonly (readonly (readonly [number, number])[])[],
  stepMs: number,
  continuous: readonly boolean[] = [],
): AlignedColumns {
  const all = new Set<number>();
  series.forEach((points, index) => {
    points.forEach(([time], position) => {
      const before = points[position - 1]?.[0];
      if (continuous[index] !== true && before !== undefined && time - before > stepMs * 1.5) all.add(before + stepMs);
      all.add(time);
    });
  });
  const times = [...all].toSorted((a, b) => a - b);
  const columns = series.map((points, index) => {
    const known = new Map(points.map(([time, value]) => [time, value]));
    const column: (number | null)[] = times.map((time) => known.get(time) ?? null);
    return continuous[index] === true ? bridge(times, column) : column;
  });
  return { times: times.map((time) => time / 1000), columns };
}

/** First and one past the last position at which anything but a limit has a value: a limit reaches over the whole axis and measures nothing. */
export function measuredSpan({ times, columns }: AlignedColumns, series: readonly ChartSeries[]): [number, number] {
  const measured = columns.filter((_, index) => {
    const line = series[index];
    return line !== undefined && (line.continuous !== true || line.band !== undefined);
  });
  const has = (index: number) => measured.some((column) => (column[index] ?? null) !== null);
  const positions = times.map((_, index) => index);
  return [positions.find(has) ?? 0, (positions.findLast(has) ?? -1) + 1];
}

/** Fills nulls between known values on a straight line: for limits and forecasts, which have no gaps. */
function bridge(times: readonly number[], column: (number | null)[]): (number | null)[] {
  let last = -1;
  column.forEach((value, index) => {
    if (value === null) return;
    const from = column[last] ?? null;
    const [start, end] = [times[last], times[index]];
    if (from !== null && start !== undefined && end !== undefined) {
      for (let at = last + 1; at < index; at += 1) {
        column[at] = from + ((value - from) * ((times[at] ?? start) - start)) / (end - start);
      }
    }
    last = index;
  });
  return column;
}

/** Keeps the seven series with the largest mean and adds up the others, when there are more than eight. */
export function topSeries(
  series: readonly { readonly label: string; readonly points: readonly (readonly [number, number])[] }[],
): { label: string; points: readonly (readonly [number, number])[] }[] {
  if (series.length <= 8) return [...series];
  const mean = (points: readonly (readonly [number, number])[]) =>
    points.reduce((sum, [, value]) => sum + value, 0) / Math.max(1, points.length);
  const sorted = series.toSorted((a, b) => mean(b.points) - mean(a.points));
  const rest = new Map<number, number>();
  for (const { points } of sorted.slice(7)) {
    for (const [time, value] of points) rest.set(time, (rest.get(time) ?? 0) + value);
  }
  const others = [...rest].toSorted(([a], [b]) => a - b);
  return [...sorted.slice(0, 7), { label: `${series.length - 7} others, summed`, points: others }];
}
