import { createHash } from 'node:crypto';
import type { Invoice, TenantRecord } from 'streams/contract';
import { type Store, storeGroup } from 'streams/store';
import { createInvoiceService } from '../../billing-rater/invoicing/invoice-service.ts';
import { createClickHouseMeteringStore } from '../../billing-rater/metering/clickhouse-metering-store.ts';
import { createClickHouseUsageReader } from '../../billing-rater/metering/clickhouse-usage-reader.ts';
import { parseKnownAt } from '../../billing-rater/metering/known-at.ts';
import { runMetering } from '../../billing-rater/metering/metering-job.ts';
import { meteringRebuilder } from '../../billing-rater/metering/metering-rebuilder.ts';
import { type RateCard, sampleRateCards } from '../../billing-rater/rating/index.ts';
import type { Pipeline } from './pipeline.ts';
import { tenantNumbers } from './pipeline.ts';

/** The months of the tenants of the pipeline, by the product's own invoices. The subscription and the rate card are given: they come from the control plane. */
export const billedTenants: readonly TenantRecord[] = [...tenantNumbers].map(
  ([id, number]) =>
    ({
      id,
      number,
      name: id,
      tier: 'small',
      plan: 'professional',
      region: 'us-east',
      currency: 'USD',
      timeZone: 'UTC',
      partnerId: null,
      state: 'active',
      createdAt: '2026-01-01T00:00:00Z',
    }) as TenantRecord,
);

const card = sampleRateCards().map((one) => ({ ...one, version: 1 }) as RateCard);

/** What a bill is made from and comes to; equal ones are equal in every byte. */
export interface Bill {
  readonly invoice: string;
  /** SHA-256 of everything the invoice was computed from: totals of the meters, transactions, and the facts behind them. */
  readonly inputHash: string;
  readonly total: string;
}

/** Computes the facts of what the consumer has committed. */
export async function meter(pipeline: Pipeline): Promise<void> {
  await runMetering({
    store: createClickHouseMeteringStore(pipeline.store),
    storedPositions: () => pipeline.log.committed('telemetry', storeGroup),
    now: Date.now,
    chunkHours: 500,
  });
}

export const billingRebuilder = () => meteringRebuilder({ now: Date.now, chunkHours: 500 });

/** The positions that the facts of a store are complete up to, as invoices carry them. */
export async function knownAtOf(store: Store): Promise<string> {
  const { positions } = await createClickHouseUsageReader(store).completed();
  return positions.map(({ partition, next }) => `${partition}:${next}`).join(',');
}

/** The bill of a tenant's period as known at a cut-off, from whatever store it stands in. */
export async function billOf(store: Store, tenant: TenantRecord, period: string, knownAt: string): Promise<Bill> {
  const reader = createClickHouseUsageReader(store);
  const positions = parseKnownAt(knownAt);
  const service = createInvoiceService({
    // The draft is made at the asked cut-off, not at the newest.
    usage: { ...reader, completed: async () => ({ positions, at: Date.now() }) },
    subscriptions: {
      subscriptions: async () => [
        { id: `s-${tenant.id}`, tier: 'small', plan: 'professional', validFrom: '2026-01-01T00:00:00Z', validTo: null },
      ],
    },
    rateCards: { cards: async () => card },
    now: Date.now,
  });
  const invoice: Invoice = await service.invoice(tenant, period);
  const range = {
    tenant: tenant.number,
    startMs: Date.parse(invoice.start),
    endMs: Date.parse(invoice.end),
    knownAt: positions,
  };
  const inputs: unknown[] = [];
  for (const [name, total] of [...(await reader.totals(range))].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const { rows } = await reader.facts(range, name, { skip: 0, limit: 100_000 });
    inputs.push([
      name,
      total,
      rows.map(({ bucket, subject, value, seconds, events }) => [bucket, subject, value, seconds, events]),
    ]);
  }
  inputs.push(await reader.transactions(range, 'payment_transaction'));
  const text = JSON.stringify(inputs, (_, value: unknown) =>
    typeof value === 'object' && value !== null && 'toFixed' in value ? String(value) : value,
  );
  return {
    invoice: JSON.stringify(invoice),
    inputHash: createHash('sha256').update(text).digest('hex'),
    total: invoice.total,
  };
}
