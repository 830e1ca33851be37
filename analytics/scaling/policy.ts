import type { Tier } from 'streams/contract';

/** Rules of the scaling proposals; data, so that a past proposal can be judged by the rules of its time. */
export interface ScalingPolicy {
  readonly version: string;
  /** CPU limit of each tier, smallest first. *Units* cores. */
  readonly tiers: readonly { readonly tier: Tier; readonly cores: number }[];
  readonly highFraction: number;
  readonly highMinutes: number;
  readonly windowMinutes: number;
  /** The window's minutes must lie within this stretch, otherwise there is too little data. */
  readonly windowSpanMinutes: number;
  readonly lowFraction: number;
  readonly lowHours: number;
  /** Hours that must be measured of `lowHours`. */
  readonly lowHoursMeasuredMin: number;
  /** After scaling in, the highest use must stay below this fraction of the smaller limit. */
  readonly fitFraction: number;
  readonly staleSeconds: number;
  readonly expirySeconds: number;
}

/** *Source* tiers of the commercial model; above 80 % for 15 of 20 minutes, below 20 % for three days; the rest are our defaults. */
export const defaultScalingPolicy: ScalingPolicy = {
  version: 'scaling-1',
  tiers: [
    { tier: 'micro', cores: 0.5 },
    { tier: 'small', cores: 1 },
    { tier: 'medium', cores: 2 },
    { tier: 'large', cores: 4 },
    { tier: 'xlarge', cores: 8 },
  ],
  highFraction: 0.8,
  highMinutes: 15,
  windowMinutes: 20,
  windowSpanMinutes: 40,
  lowFraction: 0.2,
  lowHours: 72,
  lowHoursMeasuredMin: 68,
  fitFraction: 0.6,
  staleSeconds: 300,
  expirySeconds: 6 * 3_600,
};
