import { oracleSelfTest } from './c01-oracle.ts';
import { receiverKilled } from './c02-receiver-killed.ts';
import { consumerKilled } from './c03-consumer-killed.ts';
import { powerCut } from './c04-power-cut.ts';
import { failingSync } from './c05-failing-sync.ts';
import { damagedLog } from './c06-damaged-log.ts';
import { fullDisk } from './c07-full-disk.ts';
import { resend } from './c08-resend.ts';
import { beyondTheWindow } from './c10-beyond-the-window.ts';
import { damagedPart } from './c11-damaged-part.ts';
import { poisonRecord } from './c12-poison-record.ts';
import { lateEvents } from './c22-late-events.ts';
import { counters } from './c24-counters.ts';
import { recomputedPeriod } from './c25-recomputed-period.ts';
import { wipedMachine } from './c26-wiped-machine.ts';
import { forgedTenant } from './c28-forged-tenant.ts';
import { stoppedLeader } from './c36-stopped-leader.ts';
import { noisyNeighbour } from './c41-noisy-neighbour.ts';
import { seriesFlood } from './c42-series-flood.ts';
import { queryOfDeath } from './c43-query-of-death.ts';
import { doorBombs } from './c44-door-bombs.ts';
import { otlpConformance } from './c45-otlp-conformance.ts';
import { fuzz } from './c46-fuzz.ts';
import { terminated } from './c47-terminated.ts';
import { soak } from './c59-soak.ts';
import type { FaultCheck } from './check.ts';

/** Every check, in the order of its number: `npm run test:fault` runs the full forms, `npm test` the short ones. */
export const checks: readonly FaultCheck[] = [
  oracleSelfTest,
  receiverKilled,
  consumerKilled,
  powerCut,
  failingSync,
  damagedLog,
  fullDisk,
  resend,
  beyondTheWindow,
  damagedPart,
  lateEvents,
  counters,
  recomputedPeriod,
  wipedMachine,
  forgedTenant,
  stoppedLeader,
  noisyNeighbour,
  seriesFlood,
  queryOfDeath,
  doorBombs,
  otlpConformance,
  fuzz,
  poisonRecord,
  terminated,
  soak,
];
