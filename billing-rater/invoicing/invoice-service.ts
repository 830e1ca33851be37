import {
  AppError,
  type BillingPeriod,
  type Invoice,
  type LineEvidence,
  periodAt,
  periodOf,
  type TenantRecord,
  type UsageReport,
} from 'streams/contract';
import { type Position, parseKnownAt, toKnownAt } from '../metering/known-at.ts';
import { type Meter, meterOf, meters } from '../metering/meters.ts';
import type { UsageRange, UsageReader } from '../metering/ports.ts';
import { describeAggregation, noFacts, quantityOf } from '../metering/quantity.ts';
import { type FlatCharge, fractionOf, type RateCard, selectRateCard, type TransactionGroup } from '../rating/index.ts';
import { draftInvoice, draftInvoiceId, feeAggregation, feeLines } from './draft-invoice.ts';
import type { RateCardReader, SubscriptionReader } from './ports.ts';

export interface InvoiceServiceDeps {
  readonly usage: UsageReader;
  readonly subscriptions: SubscriptionReader;
  readonly rateCards: RateCardReader;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** A page of evidence; `cursor` counts the rows before it, which the cut-off fixes. */
export interface EvidencePage {
  readonly knownAt: string | undefined;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** What a draft was made for and read from. */
interface DraftContext {
  readonly tenant: TenantRecord;
  readonly period: BillingPeriod;
  readonly range: UsageRange;
  readonly knownAt: string;
  readonly asOf: string;
}

const toIso = (epochMs: number) => new Date(epochMs).toISOString().replace('.000Z', 'Z');

function parseSkip(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (!/^\d{1,9}$/.test(cursor)) {
    throw new AppError('billing.cursor_invalid', 'the cursor is not one that this list gave out', {
      status: 400,
      field: 'cursor',
    });
  }
  return Number(cursor);
}

/** *Errors* `billing.bucket_invalid` (400) unless the instant starts a 15-minute bucket of the period. */
function bucketRange(range: UsageRange, bucket: string | undefined): UsageRange {
  if (bucket === undefined) return range;
  const startMs = Date.parse(bucket);
  if (!(startMs >= range.startMs && startMs < range.endMs && startMs % 900_000 === 0)) {
    throw new AppError('billing.bucket_invalid', 'bucket is not the start of a 15-minute bucket of the period', {
      status: 400,
      field: 'bucket',
    });
  }
  return { ...range, startMs, endMs: startMs + 900_000 };
}

/** Invoices, usage and their evidence, read at a known-at cut-off. *Errors* those of the readers pass through: a failed read never becomes 0. */
export function createInvoiceService(deps: InvoiceServiceDeps) {
  const periodFor = (tenant: TenantRecord, period: string | undefined) =>
    period === undefined ? periodAt(deps.now(), tenant.timeZone) : periodOf(period, tenant.timeZone);

  async function contextOf(tenant: TenantRecord, name: string | undefined, knownAt?: string): Promise<DraftContext> {
    const period = periodFor(tenant, name);
    const completed = await deps.usage.completed();
    const positions: readonly Position[] = knownAt === undefined ? completed.positions : parseKnownAt(knownAt);
    return {
      tenant,
      period,
      range: { tenant: tenant.number, startMs: period.startMs, endMs: period.endMs, knownAt: positions },
      knownAt: toKnownAt(positions),
      asOf: toIso(Math.max(period.startMs, Math.min(period.endMs, completed.at ?? period.startMs))),
    };
  }

  async function cardOf({ tenant, period }: DraftContext): Promise<RateCard> {
    return selectRateCard(await deps.rateCards.cards(), {
      tenant: tenant.id,
      currency: tenant.currency,
      region: tenant.region,
      period: period.period,
      startMs: period.startMs,
    });
  }

  async function draft(context: DraftContext): Promise<Invoice> {
    const { tenant, period, range } = context;
    const card = await cardOf(context);
    const [subscriptions, usage] = await Promise.all([
      deps.subscriptions.subscriptions(tenant.id),
      deps.usage.totals(range),
    ]);
    const transactions = new Map<string, readonly TransactionGroup[]>();
    for (const charge of card.charges) {
      if (charge.model !== 'percentage') continue;
      const { source } = meterOf(charge.meter);
      if (source.kind === 'events') {
        transactions.set(charge.meter, await deps.usage.transactions(range, source.type));
      }
    }
    const { knownAt, asOf } = context;
    return draftInvoice({ tenant, period, card, subscriptions, usage, transactions, knownAt, asOf });
  }

  async function factsEvidence(context: DraftContext, meter: Meter, line: string, page: EvidencePage, rawLink: string) {
    const { tenant, period, range } = context;
    const skip = parseSkip(page.cursor);
    const [totals, facts] = await Promise.all([
      deps.usage.totals(range),
      deps.usage.facts(range, meter.key, { skip, limit: page.limit + 1 }),
    ]);
    const quantity = quantityOf(meter, totals.get(meter.key) ?? noFacts, period.seconds);
    return {
      invoice: draftInvoiceId(tenant.id, period.period),
      line,
      query: facts.query,
      parameters: { ...facts.parameters, limit: page.limit },
      aggregate: describeAggregation(meter, period.seconds),
      quantity: quantity.toString(),
      rows: facts.rows.slice(0, page.limit).map((row) => ({
        bucket: row.bucket,
        subject: row.subject,
        value: row.value.toString(),
        seconds: row.seconds.toString(),
        events: row.events,
        partition: row.partition,
        version: row.version,
        raw: `${rawLink}&bucket=${row.bucket}`,
      })),
      nextCursor: facts.rows.length > page.limit ? String(skip + page.limit) : null,
    } satisfies LineEvidence;
  }

  async function rawEvidence(
    context: DraftContext,
    meter: Meter,
    line: string,
    page: EvidencePage,
    bucket: string | undefined,
  ): Promise<LineEvidence> {
    const range = bucketRange(context.range, bucket);
    const skip = parseSkip(page.cursor);
    const wanted = { skip, limit: page.limit + 1 };
    const { source } = meter;
    const [totals, raw] = await Promise.all([
      deps.usage.totals(range),
      source.kind === 'events'
        ? deps.usage.events(range, source.type, wanted)
        : deps.usage.samples(range, source.metric, wanted),
    ]);
    const total = totals.get(meter.key) ?? noFacts;
    return {
      invoice: draftInvoiceId(context.tenant.id, context.period.period),
      line,
      query: raw.query,
      parameters: { ...raw.parameters, limit: page.limit },
      aggregate:
        source.kind === 'events'
          ? 'sum(value)'
          : source.kind === 'counter'
            ? 'growth: each value less the one before of its series, one writer at a time, resets from zero; late points and what is before an unknown start are not counted'
            : 'unit-seconds: each value holds from its whole second until the next sample with the same point attributes, at most 900 s; attributes under resource. do not tell samples apart; groups add up',
      quantity: total.value.toString(),
      rows: raw.rows.slice(0, page.limit).map((row) => ({ ...row })),
      nextCursor: raw.rows.length > page.limit ? String(skip + page.limit) : null,
    };
  }

  async function feeEvidence(context: DraftContext, charge: FlatCharge, line: string): Promise<LineEvidence | null> {
    const { tenant, period } = context;
    const records = await deps.subscriptions.subscriptions(tenant.id);
    const fee = feeLines(charge, records, period).find(({ id }) => id === line);
    if (fee === undefined) return null;
    const { subscription } = fee;
    return {
      invoice: draftInvoiceId(tenant.id, period.period),
      line,
      query:
        'SELECT id, tier, plan, valid_from, valid_to FROM subscriptions WHERE tenant_id = {tenant} AND id = {subscription}',
      parameters: {
        tenant: tenant.id,
        subscription: subscription.id,
        period_start: period.start,
        period_end: period.end,
      },
      aggregate: feeAggregation,
      quantity: fractionOf(subscription.coveredSeconds, period.seconds).toString(),
      rows: [
        {
          subscription: subscription.id,
          tier: subscription.tier,
          plan: subscription.plan,
          valid_from: subscription.validFrom,
          valid_to: subscription.validTo,
          covered_seconds: subscription.coveredSeconds,
          period_seconds: period.seconds,
        },
      ],
      nextCursor: null,
    };
  }

  const noLine = (line: string) =>
    new AppError('billing.line_unknown', `the invoice has no line "${line}"`, { status: 404, field: 'lineId' });

  return {
    /** The draft of a period, the running one when none is named. */
    async invoice(tenant: TenantRecord, period: string | undefined): Promise<Invoice> {
      return draft(await contextOf(tenant, period));
    },

    /** The draft with what its usage lines are checked by: the meter of each line, the period and the cut-off. */
    async checkable(tenant: TenantRecord, name: string | undefined) {
      const context = await contextOf(tenant, name);
      const card = await cardOf(context);
      const meterOfLine = new Map(
        card.charges.flatMap((charge) => (charge.model === 'flat' ? [] : [[charge.item, charge.meter] as const])),
      );
      return { invoice: await draft(context), meterOfLine, period: context.period, knownAt: context.range.knownAt };
    },

    async usageReport(tenant: TenantRecord, name: string | undefined): Promise<UsageReport> {
      const context = await contextOf(tenant, name);
      const { period, knownAt, asOf } = context;
      const totals = await deps.usage.totals(context.range);
      return {
        tenant: tenant.id,
        period: period.period,
        start: period.start,
        end: period.end,
        asOf,
        meters: meters.map((meter) => {
          const total = totals.get(meter.key) ?? noFacts;
          return {
            meter: meter.key,
            quantity: quantityOf(meter, total, period.seconds).toString(),
            unit: meter.unit === 'amount' ? tenant.currency : meter.unit,
            aggregation: describeAggregation(meter, period.seconds),
            events: total.events,
            evidence: `/api/v1/billing/usage/${meter.key}/evidence?tenant=${tenant.id}&period=${period.period}&knownAt=${encodeURIComponent(knownAt)}`,
          };
        }),
      };
    },

    async usageEvidence(tenant: TenantRecord, period: string | undefined, key: string, page: EvidencePage) {
      const context = await contextOf(tenant, period, page.knownAt);
      const raw = `/api/v1/billing/usage/${key}/evidence/events?tenant=${tenant.id}&period=${context.period.period}&knownAt=${encodeURIComponent(context.knownAt)}`;
      return factsEvidence(context, meterOf(key), key, page, raw);
    },

    async usageRows(
      tenant: TenantRecord,
      period: string | undefined,
      key: string,
      page: EvidencePage,
      bucket: string | undefined,
    ) {
      return rawEvidence(await contextOf(tenant, period, page.knownAt), meterOf(key), key, page, bucket);
    },

    /** Rows from which the line's quantity follows. *Errors* `billing.line_unknown` (404). */
    async lineEvidence(tenant: TenantRecord, period: string, line: string, page: EvidencePage): Promise<LineEvidence> {
      const context = await contextOf(tenant, period, page.knownAt);
      const card = await cardOf(context);
      for (const charge of card.charges) {
        if (charge.model === 'flat') {
          const evidence = await feeEvidence(context, charge, line);
          if (evidence !== null) return evidence;
        } else if (charge.item === line) {
          const id = draftInvoiceId(tenant.id, period);
          const raw = `/api/v1/billing/invoices/${id}/lines/${line}/evidence/events?knownAt=${encodeURIComponent(context.knownAt)}`;
          return factsEvidence(context, meterOf(charge.meter), line, page, raw);
        }
      }
      throw noLine(line);
    },

    /** Usage events or samples behind a line, of one bucket when it is named. *Errors* `billing.line_unknown` (404): a fee has none. */
    async lineRows(
      tenant: TenantRecord,
      period: string,
      line: string,
      page: EvidencePage,
      bucket: string | undefined,
    ): Promise<LineEvidence> {
      const context = await contextOf(tenant, period, page.knownAt);
      const card = await cardOf(context);
      const charge = card.charges.find(({ item }) => item === line);
      if (charge === undefined || charge.model === 'flat') throw noLine(line);
      return rawEvidence(context, meterOf(charge.meter), line, page, bucket);
    },
  };
}

export type InvoiceService = ReturnType<typeof createInvoiceService>;
