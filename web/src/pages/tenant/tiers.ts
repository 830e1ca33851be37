import type { Tenant } from 'streams/contract';

/** Bytes in a GB of the commercial model. */
export const gib = 2 ** 30;

/** CPU cores and storage in GB (2³⁰ bytes) that a tier includes. *Source* commercial model, resource tiers. */
export const tierLimits: Readonly<Record<Tenant['tier'], { readonly cpu: number; readonly storageGb: number }>> = {
  micro: { cpu: 0.5, storageGb: 5 },
  small: { cpu: 1, storageGb: 20 },
  medium: { cpu: 2, storageGb: 50 },
  large: { cpu: 4, storageGb: 100 },
  xlarge: { cpu: 8, storageGb: 250 },
};
