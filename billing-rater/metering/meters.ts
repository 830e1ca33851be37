import { AppError } from 'streams/contract';

/** What a meter reads: usage events of one CloudEvents type, the level of one metric, or the growth of a counter. */
export type MeterSource =
  | { readonly kind: 'events'; readonly type: string }
  | { readonly kind: 'metric'; readonly metric: string }
  | { readonly kind: 'counter'; readonly metric: string };

/**
 * How facts become a quantity: `sum` adds values; `time_weighted_average` is unit-seconds ÷ measured seconds, rounded up to a whole unit;
 * `time_weighted_month` is unit-seconds ÷ `unitSize` ÷ seconds of the period.
 */
export type Aggregation =
  | { readonly kind: 'sum' }
  | { readonly kind: 'time_weighted_average' }
  | { readonly kind: 'time_weighted_month'; readonly unitSize: string };

/** A meter as data: what is counted, from where, how, in which unit. */
export interface Meter {
  readonly key: string;
  readonly source: MeterSource;
  readonly aggregation: Aggregation;
  readonly unit: string;
  /** Facts are kept a subject (the customer or plugin counted, or the point attributes of a counter) as well as a tenant. */
  readonly bySubject: boolean;
}

const gibibyte = '1073741824';

/** *Source* the sample rate card: meters by event type or metric. Types that no meter selects are stored and counted, not rated. */
export const meters: readonly Meter[] = [
  {
    key: 'active_customers',
    source: { kind: 'metric', metric: 'dotmac.customers.active' },
    aggregation: { kind: 'time_weighted_average' },
    unit: 'customer',
    bySubject: false,
  },
  {
    key: 'api_calls',
    source: { kind: 'events', type: 'api_calls' },
    aggregation: { kind: 'sum' },
    unit: 'call',
    bySubject: false,
  },
  {
    key: 'storage_gb',
    source: { kind: 'metric', metric: 'dotmac.storage.usage' },
    aggregation: { kind: 'time_weighted_month', unitSize: gibibyte },
    unit: 'GB-month',
    bySubject: false,
  },
  {
    key: 'payments',
    source: { kind: 'events', type: 'payment_transaction' },
    aggregation: { kind: 'sum' },
    unit: 'amount',
    bySubject: false,
  },
  {
    key: 'ai_calls',
    source: { kind: 'events', type: 'ai_call' },
    aggregation: { kind: 'sum' },
    unit: 'call',
    bySubject: false,
  },
  {
    key: 'network_bytes',
    source: { kind: 'counter', metric: 'dotmac.network.interface.io' },
    aggregation: { kind: 'sum' },
    unit: 'By',
    bySubject: true,
  },
  {
    key: 'plugin_calls',
    source: { kind: 'events', type: 'plugin_call' },
    aggregation: { kind: 'sum' },
    unit: 'call',
    bySubject: true,
  },
];

/** *Errors* `billing.unknown_meter` (not retryable). */
export function meterOf(key: string): Meter {
  const meter = meters.find((candidate) => candidate.key === key);
  if (meter === undefined) {
    throw new AppError('billing.unknown_meter', `there is no meter "${key}"`, { status: 422, field: 'meter' });
  }
  return meter;
}
