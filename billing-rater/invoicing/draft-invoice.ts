import {
  AppError,
  type BillingPeriod,
  Decimal,
  type Invoice,
  type InvoiceLine,
  invariant,
  Money,
  minorDigitsOf,
  type TenantId,
} from 'streams/contract';
import { meterOf } from '../metering/meters.ts';
import { describeAggregation, type FactTotal, noFacts, quantityOf } from '../metering/quantity.ts';
import {
  type FlatCharge,
  includedOf,
  type MeteredCharge,
  priceCharge,
  priceFlatFee,
  type RateCard,
  type TransactionGroup,
} from '../rating/index.ts';
import { type CoveredSubscription, coverPeriod, includedQuantity, type Subscription } from './subscriptions.ts';

/** Everything a draft follows from; equal inputs give equal bytes. */
export interface DraftInput {
  readonly tenant: { readonly id: TenantId; readonly currency: string };
  readonly period: BillingPeriod;
  readonly card: RateCard;
  readonly subscriptions: readonly Subscription[];
  /** By meter; a meter without facts counted nothing. */
  readonly usage: ReadonlyMap<string, FactTotal>;
  /** By meter, for charges a transaction. */
  readonly transactions: ReadonlyMap<string, readonly TransactionGroup[]>;
  readonly knownAt: string;
  readonly asOf: string;
}

/** Deterministic, so that a draft's address stays while the period runs. */
export function draftInvoiceId(tenant: string, period: string): string {
  return `draft-${tenant}-${period}`;
}

/** Tenant and period of a draft's id; null when it is none. */
export function parseDraftInvoiceId(id: string): { readonly tenant: string; readonly period: string } | null {
  const match = /^draft-([a-z0-9-]{1,40})-(\d{4}-(?:0[1-9]|1[0-2]))$/.exec(id);
  const [, tenant, period] = match ?? [];
  return tenant === undefined || period === undefined ? null : { tenant, period };
}

/** Address of a line's evidence, fixed at the invoice's known-at. */
export function evidenceLink(invoiceId: string, lineId: string, knownAt: string): string {
  return `/api/v1/billing/invoices/${invoiceId}/lines/${lineId}/evidence?knownAt=${encodeURIComponent(knownAt)}`;
}

const feeLineId = (item: string, index: number, of: number) => (of === 1 ? item : `${item}.${index + 1}`);

/** In words, for the line and its evidence. */
export const feeAggregation =
  'covered_seconds / period_seconds of the subscription record, to 12 digits half-even; the amount is computed from the seconds';

/** A fee line's subscription, by the ids that {@link draftInvoice} gives its lines. */
export function feeLines(
  charge: FlatCharge,
  records: readonly Subscription[],
  period: BillingPeriod,
): { readonly id: string; readonly subscription: CoveredSubscription }[] {
  const covered = coverPeriod(records, period);
  return covered.map((subscription, index) => ({ id: feeLineId(charge.item, index, covered.length), subscription }));
}

function toFeeLines(input: DraftInput, charge: FlatCharge, id: string): InvoiceLine[] {
  const { period, card } = input;
  return feeLines(charge, input.subscriptions, period).map(({ id: lineId, subscription }) => {
    const fee = Decimal.parse(charge.amount_by_tier[subscription.tier]);
    const { coveredSeconds } = subscription;
    const { fraction, amount } = priceFlatFee({
      currency: card.currency,
      fee,
      coveredSeconds,
      periodSeconds: period.seconds,
    });
    const whole = coveredSeconds === period.seconds;
    return {
      id: lineId,
      kind: 'fee',
      item: charge.item,
      description: `${charge.description}: ${subscription.tier}${whole ? '' : ', part of the period'}`,
      quantity: fraction.toString(),
      unit: 'month',
      unitPrice: fee.toString(),
      pricing: [
        {
          description: whole ? 'whole period' : `${coveredSeconds} of ${period.seconds} seconds`,
          quantity: fraction.toString(),
          unitPrice: fee.toString(),
          amount: amount.toString(),
        },
      ],
      amount: amount.toString(),
      aggregation: feeAggregation,
      evidence: evidenceLink(id, lineId, input.knownAt),
    };
  });
}

function toUsageLine(input: DraftInput, charge: MeteredCharge, id: string): InvoiceLine {
  const { period, card } = input;
  const meter = meterOf(charge.meter);
  const quantity = quantityOf(meter, input.usage.get(meter.key) ?? noFacts, period.seconds);
  const included =
    charge.model === 'per_unit'
      ? includedQuantity(coverPeriod(input.subscriptions, period), period.seconds, (tier) => includedOf(charge, tier))
      : Decimal.zero;
  const transactions = input.transactions.get(meter.key);
  const priced = priceCharge(charge, { quantity, included, ...(transactions === undefined ? {} : { transactions }) });
  return {
    id: charge.item,
    kind: 'usage',
    item: charge.item,
    description: charge.description,
    quantity: quantity.toString(),
    unit: charge.unit,
    unitPrice: priced.unitPrice?.toString() ?? null,
    pricing: priced.steps.map((step) => ({
      description: step.description,
      quantity: step.quantity.toString(),
      unitPrice: step.unitPrice.toString(),
      amount: step.amount.toString(),
    })),
    amount: new Money(card.currency, priced.amount).round().toString(),
    aggregation: describeAggregation(meter, period.seconds),
    evidence: evidenceLink(id, charge.item, input.knownAt),
  };
}

/** Names the tenant, period and item of a line that could not be priced. */
function inLine<T>(input: DraftInput, item: string, price: () => T): T {
  try {
    return price();
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    const where = { tenant: input.tenant.id, period: input.period.period, item };
    throw new AppError(cause.code, `${cause.message} (tenant ${where.tenant}, ${item}, ${where.period})`, {
      status: cause.status,
      retryable: cause.retryable,
      field: cause.field,
      context: { ...cause.context, ...where },
      cause,
    });
  }
}

/**
 * The draft invoice of a period: fees of the whole period, as far as subscriptions cover it, and its usage so far.
 *
 * *Units* each line's amount is rounded once to the currency's minor unit; the total adds the rounded lines and is never negative.
 * *Errors* `billing.unknown_meter`, `rating.negative_quantity`, naming tenant, item and period.
 */
export function draftInvoice(input: DraftInput): Invoice {
  const { tenant, period, card } = input;
  invariant(card.currency === tenant.currency, 'the card is in the tenant’s currency');
  const id = draftInvoiceId(tenant.id, period.period);
  const lines = card.charges.flatMap((charge) =>
    inLine(input, charge.item, () =>
      charge.model === 'flat' ? toFeeLines(input, charge, id) : [toUsageLine(input, charge, id)],
    ),
  );
  const total = Decimal.sum(lines.map((line) => Decimal.parse(line.amount)));
  invariant(!total.isNegative(), 'a bill is never negative');
  return {
    id,
    tenant: tenant.id,
    period: period.period,
    start: period.start,
    end: period.end,
    state: 'draft',
    currency: card.currency,
    timeZone: period.timeZone,
    lines,
    total: total.toFixed(minorDigitsOf(card.currency)),
    rateCard: { id: card.id, version: card.version },
    knownAt: input.knownAt,
    asOf: input.asOf,
  };
}
