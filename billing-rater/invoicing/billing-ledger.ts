import { createKeptLedger, type KeptLedger, type Store } from 'streams/store';
import { createPositionReader } from '../metering/clickhouse-metering-store.ts';
import type { Position } from '../metering/known-at.ts';
import { ledgerSources } from './ledger-sources.ts';

/** The conservation ledger from accepted to invoiced. `storedPositions` says how far the telemetry consumer has committed: batches beyond are being stored. */
export function createBillingLedger(deps: {
  readonly store: Store;
  storedPositions(): Promise<readonly Position[]>;
  now(): number;
}): KeptLedger {
  const completed = createPositionReader(deps.store);
  return createKeptLedger({
    store: deps.store,
    sources: ledgerSources(),
    positions: async () => {
      const [committed, metered] = await Promise.all([deps.storedPositions(), completed()]);
      return { committed, metered: metered.positions };
    },
    now: deps.now,
  });
}
