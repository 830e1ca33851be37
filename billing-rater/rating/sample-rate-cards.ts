import eur from '../rate-cards/sample-eur.json' with { type: 'json' };
import usd from '../rate-cards/sample-usd.json' with { type: 'json' };
import { NewRateCard } from './rate-card.ts';

/** The sample cards, checked like any other card; seeded when the control plane has none. */
export function sampleRateCards(): NewRateCard[] {
  return [usd, eur].map((card) => NewRateCard.parse(card));
}
