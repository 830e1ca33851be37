import { oracleSelfTest } from './c01-oracle.ts';
import { receiverKilled } from './c02-receiver-killed.ts';
import { failingSync } from './c05-failing-sync.ts';
import { damagedLog } from './c06-damaged-log.ts';
import { fullDisk } from './c07-full-disk.ts';
import { damagedPart } from './c11-damaged-part.ts';
import { otlpConformance } from './c45-otlp-conformance.ts';
import { terminated } from './c47-terminated.ts';
import type { FaultCheck } from './check.ts';

/** Every check, in the order of its number: `npm run test:fault` runs the full forms, `npm test` the short ones. */
export const checks: readonly FaultCheck[] = [
  oracleSelfTest,
  receiverKilled,
  failingSync,
  damagedLog,
  fullDisk,
  damagedPart,
  otlpConformance,
  terminated,
];
