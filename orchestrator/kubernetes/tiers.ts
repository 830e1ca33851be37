import type { Tier } from 'streams/contract';

/** What a resource tier buys, as Kubernetes quantities. *Source* commercial model, "Resource tiers". */
export interface TierResources {
  readonly cpu: string;
  readonly memory: string;
  readonly storage: string;
}

export const tierResources: Readonly<Record<Tier, TierResources>> = {
  micro: { cpu: '500m', memory: '512Mi', storage: '5Gi' },
  small: { cpu: '1', memory: '2Gi', storage: '20Gi' },
  medium: { cpu: '2', memory: '4Gi', storage: '50Gi' },
  large: { cpu: '4', memory: '8Gi', storage: '100Gi' },
  xlarge: { cpu: '8', memory: '16Gi', storage: '250Gi' },
};
