/** What kind of life a simulated ISP leads. */
export type Character = 'steady' | 'growing' | 'declining' | 'noisy' | 'quiet';

/** A simulated ISP: what it is created with, and what drives its numbers. */
export interface Profile {
  readonly id: string;
  readonly name: string;
  readonly tier: 'micro' | 'small' | 'medium' | 'large' | 'xlarge';
  readonly plan: 'basic' | 'professional' | 'enterprise';
  readonly region: string;
  readonly currency: string;
  readonly timeZone: string;
  /** *Units* hours east of UTC; standard time all year, the rhythm ignores summer time. */
  readonly utcOffsetHours: number;
  readonly customers: number;
  readonly character: Character;
}

/** CPU and memory of a tier. *Units* cores, bytes. *Source* the resource tiers of the commercial model. */
export const TIER_SIZE = {
  micro: { cores: 0.5, memory: 512 * 2 ** 20, storage: 5 * 2 ** 30 },
  small: { cores: 1, memory: 2 * 2 ** 30, storage: 20 * 2 ** 30 },
  medium: { cores: 2, memory: 4 * 2 ** 30, storage: 50 * 2 ** 30 },
  large: { cores: 4, memory: 8 * 2 ** 30, storage: 100 * 2 ** 30 },
  xlarge: { cores: 8, memory: 16 * 2 ** 30, storage: 250 * 2 ** 30 },
} as const;

type Row = readonly [string, Profile['tier'], Profile['plan'], string, string, string, number, number, Character];

const ROWS: readonly Row[] = [
  ['Alpha', 'medium', 'enterprise', 'eu-west', 'EUR', 'Europe/Dublin', 0, 1800, 'steady'],
  ['Beta', 'small', 'professional', 'us-east', 'USD', 'America/New_York', -5, 640, 'steady'],
  ['Gamma', 'large', 'enterprise', 'eu-central', 'EUR', 'Europe/Berlin', 1, 4200, 'steady'],
  ['Delta', 'small', 'professional', 'us-west', 'USD', 'America/Los_Angeles', -8, 900, 'growing'],
  ['Epsilon', 'medium', 'professional', 'us-east', 'USD', 'America/Chicago', -6, 1500, 'declining'],
  ['Zeta', 'small', 'basic', 'af-east', 'USD', 'Africa/Nairobi', 3, 420, 'noisy'],
  ['Eta', 'micro', 'basic', 'us-east', 'USD', 'UTC', 0, 60, 'quiet'],
  ['Theta', 'xlarge', 'enterprise', 'ap-south', 'USD', 'Asia/Kolkata', 5.5, 8000, 'steady'],
  ['Iota', 'small', 'professional', 'eu-west', 'EUR', 'Europe/Lisbon', 0, 380, 'growing'],
  ['Kappa', 'medium', 'enterprise', 'sa-east', 'USD', 'America/Sao_Paulo', -3, 2600, 'steady'],
  ['Lambda', 'micro', 'basic', 'af-west', 'USD', 'Africa/Lagos', 1, 120, 'steady'],
  ['Mu', 'large', 'professional', 'us-east', 'USD', 'America/Toronto', -5, 3300, 'noisy'],
];

/** The fleet's ISPs in a fixed order: Epsilon declines towards churn, Zeta and Mu are noisy, Eta is quiet, Delta and Iota grow. */
export const PROFILES: readonly Profile[] = ROWS.map((row) => ({
  id: `isp-${row[0].toLowerCase()}`,
  name: `ISP ${row[0]}`,
  tier: row[1],
  plan: row[2],
  region: row[3],
  currency: row[4],
  timeZone: row[5],
  utcOffsetHours: row[6],
  customers: row[7],
  character: row[8],
}));
