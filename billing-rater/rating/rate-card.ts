import { AppError, Decimal, DecimalString, Tier } from 'streams/contract';
import { z } from 'zod';

const Price = DecimalString.refine((text) => !text.startsWith('-'), 'a price or quantity from 0 up');
const ByTier = z.record(Tier, Price);

const described = {
  /** Names the invoice line; unique within the card. */
  item: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'lower-case letters, digits and underscores'),
  description: z.string().min(1).max(120),
};
const metered = { ...described, meter: z.string().min(1).max(60), unit: z.string().min(1).max(40) };

/** Upper bounds ascend and the last tier has none, so that every quantity has exactly one price. */
export function ascending(tiers: readonly { readonly up_to: string | null }[]): boolean {
  let previous = Decimal.zero;
  return tiers.every(({ up_to }, index) => {
    const last = index === tiers.length - 1;
    if (up_to === null || last) return up_to === null && last;
    const bound = Decimal.parse(up_to);
    const rises = bound.compare(previous) > 0;
    previous = bound;
    return rises;
  });
}
export const ascendingMessage = 'up_to must rise from tier to tier and be null in the last tier only';

const Flat = z.object({ ...described, model: z.literal('flat'), amount_by_tier: ByTier });
const Graduated = z.object({
  ...metered,
  model: z.literal('graduated'),
  tiers: z
    .array(z.object({ up_to: Price.nullable(), unit_amount: Price, flat_amount: Price.default('0') }))
    .min(1)
    .max(100)
    .refine(ascending, ascendingMessage),
});
const Package = z.object({
  ...metered,
  model: z.literal('package'),
  package_size: Price.refine((text) => /[1-9]/.test(text), 'a package holds more than 0'),
  free_units: Price.default('0'),
  tiers: z
    .array(z.object({ up_to: Price.nullable(), package_amount: Price }))
    .min(1)
    .max(100)
    .refine(ascending, ascendingMessage),
});
const PerUnit = z.object({
  ...metered,
  model: z.literal('per_unit'),
  unit_amount: Price,
  included_by_tier: ByTier.nullable().default(null),
});
const Percentage = z
  .object({
    ...metered,
    model: z.literal('percentage'),
    rate: Price,
    minimum: Price.default('0'),
    maximum: Price.nullable().default(null),
  })
  .refine(
    ({ minimum, maximum }) => maximum === null || Decimal.parse(minimum).compare(Decimal.parse(maximum)) <= 0,
    'minimum is at most maximum',
  );

/** One priced item of a card. *Shape* the models and field names are those of `pulse rate` plans, so that a plan file and a card read alike. */
export const Charge = z.discriminatedUnion('model', [Flat, Graduated, Package, PerUnit, Percentage]);
export type Charge = z.infer<typeof Charge>;
export type FlatCharge = z.infer<typeof Flat>;
export type GraduatedCharge = z.infer<typeof Graduated>;
export type PackageCharge = z.infer<typeof Package>;
export type PerUnitCharge = z.infer<typeof PerUnit>;
export type PercentageCharge = z.infer<typeof Percentage>;
export type MeteredCharge = Exclude<Charge, FlatCharge>;

/** Body of `POST /api/v1/billing/rate-cards`: prices a month, effective from an instant until a newer version of the same id. */
export const NewRateCard = z.object({
  id: z.string().regex(/^[a-z0-9-]{1,60}$/, 'lower-case letters, digits and hyphens'),
  name: z.string().min(1).max(120),
  currency: z.string().regex(/^[A-Z]{3}$/, 'an ISO 4217 code'),
  /** First part of the regions it is for (`eu` fits `eu-west`); null for all. */
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/)
    .nullable()
    .default(null),
  effective_from: z.iso.datetime(),
  charges: z
    .array(Charge)
    .min(1)
    .max(100)
    .refine((charges) => new Set(charges.map(({ item }) => item)).size === charges.length, 'items are unique'),
});
export type NewRateCard = z.infer<typeof NewRateCard>;

/** A card as stored: versions of one id count from 1. */
export const RateCard = NewRateCard.extend({ version: z.number().int().min(1) });
export type RateCard = z.infer<typeof RateCard>;

/** Whom and when a card is looked up for. */
export interface RateCardQuery {
  readonly tenant: string;
  readonly currency: string;
  readonly region: string;
  readonly period: string;
  readonly startMs: number;
}

const fits = (card: RateCard, region: string) =>
  card.region === null || region === card.region || region.startsWith(`${card.region}-`);

/**
 * The card of a period: same currency, the closest region, in force at the period's start; a change within a period counts from the next one.
 *
 * *Errors* `billing.no_rate_card` (not retryable) naming tenant, currency and period.
 */
export function selectRateCard(cards: readonly RateCard[], query: RateCardQuery): RateCard {
  const ranked = cards
    .filter((card) => card.currency === query.currency && fits(card, query.region))
    .filter((card) => Date.parse(card.effective_from) <= query.startMs)
    .toSorted(
      (a, b) =>
        (b.region ?? '').length - (a.region ?? '').length ||
        Date.parse(b.effective_from) - Date.parse(a.effective_from) ||
        b.version - a.version ||
        (a.id < b.id ? -1 : 1),
    );
  const [card] = ranked;
  if (card === undefined) {
    const { tenant, currency, region, period } = query;
    throw new AppError(
      'billing.no_rate_card',
      `no rate card in ${currency} is in force for region ${region} at the start of ${period} (tenant ${tenant})`,
      { status: 409, context: { tenant, currency, region, period } },
    );
  }
  return card;
}
