import type { ForecastReport, TenantRecord } from 'streams/contract';
import type { Store } from 'streams/store';
import { forecast } from './forecast.ts';
import { dailyMeansQuery, metricUnitQuery } from './queries.ts';

const dayMs = 86_400_000;
const historyDays = 400;

/**
 * A tenant's metric, its daily means and what they lead to. Whole UTC days only: the running day is not history yet.
 *
 * *Bias* every metric here counts something, so the forecast is never negative. An unknown metric has an empty history and an empty forecast.
 */
export async function readForecast(
  store: Store,
  tenant: TenantRecord,
  request: { readonly metric: string; readonly horizon: number; readonly interval: number },
  nowMs: number,
): Promise<ForecastReport> {
  const today = Math.floor(nowMs / dayMs) * dayMs;
  const [rows, [known]] = await Promise.all([
    store.query(dailyMeansQuery, {
      tenants: [tenant.number],
      metric: request.metric,
      start: today - historyDays * dayMs,
      end: today,
    }),
    store.query(metricUnitQuery, { tenant: tenant.number, metric: request.metric }),
  ]);
  const means = new Map(rows.map((row) => [row.dayMs, row.mean]));
  const history = rows.flatMap((row): [number, number][] => (row.mean === null ? [] : [[row.dayMs, row.mean]]));
  const report = { tenant: tenant.id, metric: request.metric, unit: known?.unit ?? '', interval: request.interval };
  const first = history[0]?.[0];
  if (first === undefined) {
    return { ...report, method: 'none', history, forecast: [], reason: 'no whole day of this metric is stored' };
  }
  const series: (number | null)[] = [];
  for (let day = first; day < today; day += dayMs) series.push(means.get(day) ?? null);
  // The forecast starts where the history ends, so that a silent tenant's last days are forecast and not invented as history.
  const lastDay = history.at(-1)?.[0] ?? first;
  const result = forecast(series.slice(0, (lastDay - first) / dayMs + 1), {
    horizon: request.horizon,
    season: 'auto',
    interval: request.interval,
    nonNegative: true,
  });
  return {
    ...report,
    method: result.method,
    history,
    forecast: result.mean.map((mean, h) => ({
      time: lastDay + (h + 1) * dayMs,
      mean,
      lower: result.lower[h] ?? mean,
      upper: result.upper[h] ?? mean,
    })),
    reason: result.reason,
  };
}
