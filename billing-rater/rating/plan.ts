import { AppError, Decimal, DecimalString } from 'streams/contract';
import { z } from 'zod';
import { priceGraduated } from './graduated.ts';
import { createPercentagePricer } from './graduated-percentage.ts';
import { pricePackage } from './package.ts';
import { pricePerUnit } from './per-unit.ts';
import { requireQuantity } from './priced.ts';
import { ascending, ascendingMessage } from './rate-card.ts';
import { priceVolume } from './volume.ts';

const Amount = DecimalString.refine((text) => !text.startsWith('-'), 'a price or quantity from 0 up').default('0');
const isZero = (text: string) => !/[1-9]/.test(text);

const numbers = {
  unit_amount: Amount,
  flat_amount: Amount,
  package_size: Amount,
  package_amount: Amount,
  free_units: Amount,
  rate: Amount,
};
const Tier = z.strictObject({ up_to: DecimalString.nullable(), ...numbers });

/** Every field of every model may stand in a charge, so that forms with all of them are read; a name that no model has is a slip of the pen and refused. */
const PlanCharge = z
  .strictObject({
    meter: z.string().min(1).max(120),
    model: z.enum(['per_unit', 'package', 'graduated', 'volume', 'graduated_percentage']),
    ...numbers,
    tiers: z.array(Tier).max(1000).default([]),
  })
  .superRefine(({ model, package_size, tiers }, context) => {
    if (model === 'package' && isZero(package_size))
      context.addIssue({ code: 'custom', path: ['package_size'], message: 'a package holds more than 0' });
    if (model === 'per_unit' || model === 'package') return;
    if (tiers.length === 0) context.addIssue({ code: 'custom', path: ['tiers'], message: 'at least one tier' });
    else if (!ascending(tiers)) context.addIssue({ code: 'custom', path: ['tiers'], message: ascendingMessage });
  });

/** What `pulse rate` prices by: one charge a meter. *Shape* numbers are decimal strings, left out they are 0. */
export const RatePlan = z.strictObject({
  currency: z.string().regex(/^[A-Z]{3}$/, 'an ISO 4217 code'),
  charges: z
    .array(PlanCharge)
    .max(10_000)
    .superRefine((charges, context) => {
      const seen = new Set<string>();
      charges.forEach(({ meter }, index) => {
        if (seen.has(meter))
          context.addIssue({ code: 'custom', path: [index, 'meter'], message: `${meter} is priced twice` });
        seen.add(meter);
      });
    }),
});
export type RatePlan = z.infer<typeof RatePlan>;
type PlanCharge = RatePlan['charges'][number];

/** A priced charge; `transactions` are the amounts of the rows in their order, of `graduated_percentage` only. Exact, not rounded. */
export interface RatedLine {
  readonly meter: string;
  readonly quantity: Decimal;
  readonly amount: Decimal;
  readonly transactions?: readonly Decimal[];
}

const prices: Readonly<
  Record<Exclude<PlanCharge['model'], 'graduated_percentage'>, (charge: PlanCharge, quantity: Decimal) => Decimal>
> = {
  per_unit: (charge, quantity) => pricePerUnit(charge, quantity).amount,
  package: ({ package_size, package_amount, free_units }, quantity) =>
    pricePackage({ package_size, free_units, tiers: [{ up_to: null, package_amount }] }, quantity).amount,
  graduated: (charge, quantity) => priceGraduated(charge, quantity).amount,
  volume: (charge, quantity) => priceVolume(charge, quantity).amount,
};

/** Takes usage row by row and prices it at the end. */
export interface PlanRater {
  /** *Errors* `billing.no_rate_card` for a meter without a charge; `rating.negative_quantity` when transactions would sum up below 0. */
  add(meter: string, quantity: Decimal): void;
  /** One line a charge, in the plan's order. *Errors* `rating.negative_quantity` naming the meter. */
  lines(): RatedLine[];
}

/** Prices usage by a plan; pure, in memory that grows with meters and with rows of `graduated_percentage` only. */
export function createPlanRater(plan: RatePlan): PlanRater {
  const totals = new Map(plan.charges.map(({ meter }) => [meter, Decimal.zero]));
  const pricers = new Map(
    plan.charges
      .filter(({ model }) => model === 'graduated_percentage')
      .map(({ meter, tiers }) => [meter, { price: createPercentagePricer(tiers), amounts: [] as Decimal[] }]),
  );
  const ofMeter = (meter: string, run: () => Decimal): Decimal => {
    try {
      requireQuantity(totals.get(meter) ?? Decimal.zero);
      return run();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      throw new AppError(error.code, `${meter}: ${error.message}`, { status: error.status, field: 'quantity' });
    }
  };
  return {
    add(meter, quantity) {
      const total = totals.get(meter);
      if (total === undefined)
        throw new AppError('billing.no_rate_card', `${meter} has no charge in the plan`, {
          status: 409,
          field: 'meter',
        });
      totals.set(meter, total.add(quantity));
      const percentage = pricers.get(meter);
      percentage?.amounts.push(percentage.price(quantity));
    },
    lines: () =>
      plan.charges.map((charge): RatedLine => {
        const { meter, model } = charge;
        const quantity = totals.get(meter) ?? Decimal.zero;
        if (model !== 'graduated_percentage')
          return { meter, quantity, amount: ofMeter(meter, () => prices[model](charge, quantity)) };
        const transactions = pricers.get(meter)?.amounts ?? [];
        return { meter, quantity, amount: Decimal.sum(transactions), transactions };
      }),
  };
}
