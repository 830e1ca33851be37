/** Rating: pure and browser-safe, shared with the pricing calculator of the page. */
export { fractionOf, priceFlatFee } from './flat.ts';
export { priceGraduated } from './graduated.ts';
export { pricePackage } from './package.ts';
export { pricePerUnit } from './per-unit.ts';
export { pricePercentage, type TransactionGroup } from './percentage.ts';
export { includedOf, priceCharge, type Usage } from './price.ts';
export type { Priced, PricedStep } from './priced.ts';
export {
  Charge,
  type FlatCharge,
  type MeteredCharge,
  NewRateCard,
  type PerUnitCharge,
  RateCard,
  type RateCardQuery,
  selectRateCard,
} from './rate-card.ts';
export { sampleRateCards } from './sample-rate-cards.ts';
