import { unit } from './hash.ts';
import { DAY_MS } from './rhythm.ts';
import type { TenantSeries } from './tenant-series.ts';

const HOUR_MS = 3_600_000;
/** A sample of an ISP's payments, so that a large one does not flood the demo. */
const PAYMENTS_A_DAY_MAX = 40;
/** The plugins whose calls are reported as usage events too. */
const METERED_PLUGINS = ['advanced_analytics', 'ai_insights'] as const;

/** A CloudEvents 1.0 event in its structured JSON form. *Shape* `source` and `id` follow from what is counted, so the same happening always has the same identity. */
export interface SimulatedEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: 'api_calls' | 'ai_call' | 'plugin_call' | 'payment_transaction';
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: Readonly<Record<string, string>>;
}

/**
 * Usage events that occurred in [from, to), ascending. Calls are counted by the hour and stand at its last millisecond; `api_calls` of an hour is what the
 * duration histograms gained in it, `plugin_call` what `dotmac.plugin.calls` gained.
 */
export function eventsBetween(series: TenantSeries, fromMs: number, toMs: number): SimulatedEvent[] {
  const events: SimulatedEvent[] = [];
  for (let hour = Math.floor(fromMs / HOUR_MS) * HOUR_MS; hour < toMs; hour += HOUR_MS) {
    const at = hour + HOUR_MS - 1;
    if (at < fromMs || at >= toMs || hour < series.model.epochMs) continue;
    events.push(...hourly(series, hour, at));
  }
  for (let day = Math.floor(fromMs / DAY_MS); day * DAY_MS < toMs; day += 1) {
    for (const event of payments(series, day)) {
      const time = Date.parse(event.time);
      if (time >= fromMs && time < toMs && time >= series.model.epochMs) events.push(event);
    }
  }
  return events.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.id < b.id ? -1 : 1));
}

function hourly(series: TenantSeries, hour: number, at: number): SimulatedEvent[] {
  const events: SimulatedEvent[] = [];
  const stamp = new Date(hour).toISOString().slice(0, 13);
  const add = (type: SimulatedEvent['type'], subject: string, value: number) => {
    if (value > 0) events.push(event(series, type, `${type}:${subject}:${stamp}`, subject, at, String(value)));
  };
  const gained = (counter: (timeMs: number) => number) => counter(hour + HOUR_MS) - counter(hour);
  add('api_calls', 'api', gained(series.requests));
  for (const plugin of METERED_PLUGINS) {
    const counter = series.pluginCalls.get(plugin);
    if (counter === undefined) continue;
    const calls = gained(counter);
    add('plugin_call', plugin, calls);
    if (plugin === 'ai_insights') add('ai_call', plugin, calls);
  }
  return events;
}

function payments(series: TenantSeries, day: number): SimulatedEvent[] {
  const { model } = series;
  const wanted = Math.min(PAYMENTS_A_DAY_MAX, Math.round(model.customers(day * DAY_MS) / 30));
  const events: SimulatedEvent[] = [];
  const stamp = new Date(day * DAY_MS).toISOString().slice(0, 10);
  for (let index = 0; index < wanted; index += 1) {
    const u = (what: number) => unit(model.seed, 971 + what, day * 64 + index);
    const localHour = 7 + 15 * ((u(0) + u(1)) / 2);
    const timeMs =
      day * DAY_MS + (((((localHour - model.profile.utcOffsetHours) * HOUR_MS) % DAY_MS) + DAY_MS) % DAY_MS);
    const cents = [1990, 2990, 3990, 4990, 7990][Math.floor(u(2) * 5)] ?? 1990;
    const amount = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
    const customer = `customer-${String(1 + Math.floor(u(3) * model.customers(day * DAY_MS))).padStart(5, '0')}`;
    events.push(
      event(series, 'payment_transaction', `payment:${stamp}:${index}`, customer, Math.floor(timeMs), amount),
    );
  }
  return events;
}

function event(
  series: TenantSeries,
  type: SimulatedEvent['type'],
  id: string,
  subject: string,
  timeMs: number,
  value: string,
): SimulatedEvent {
  const { profile } = series.model;
  return {
    specversion: '1.0',
    id,
    source: `/dotmac/${profile.id}/billing`,
    type,
    subject,
    time: new Date(timeMs).toISOString(),
    datacontenttype: 'application/json',
    data: type === 'payment_transaction' ? { value, currency: profile.currency } : { value },
  };
}
