import { oracleSelfTest } from './c01-oracle.ts';
import { receiverKilled } from './c02-receiver-killed.ts';
import type { FaultCheck } from './check.ts';

/** Every check, in the order of its number: `npm run test:fault` runs the full forms, `npm test` the short ones. */
export const checks: readonly FaultCheck[] = [oracleSelfTest, receiverKilled];
