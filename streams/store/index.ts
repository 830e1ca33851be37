export { type ChdbStore, type ChdbStoreOptions, createChdbStore } from './chdb-store.ts';
export { type ClickhouseServerAddress, parseServerAddress } from './clickhouse-server-address.ts';
export { executeCounterStatement } from './counter-statement.ts';
export { defineQuery, noParams, placeholders } from './define-query.ts';
export { createHttpStore, type HttpStoreOptions } from './http-store.ts';
export { type LedgerRow, readLedger } from './ledger.ts';
export {
  createKeptLedger,
  type KeptLedger,
  type KeptLedgerOptions,
  type LedgerEffort,
  type LedgerHourRow,
  type LedgerHours,
  type LedgerPage,
  type LedgerPositions,
  type LedgerReading,
  type LedgerTotal,
} from './ledger-kept.ts';
export { handsTo, type LedgerHop, type LedgerState } from './ledger-rule.ts';
export { type LedgerFigure, type LedgerSource, ledgerSource, storeSources } from './ledger-sources.ts';
export { modules } from './module.ts';
export { encodeNativeBlock, scaledDecimal } from './native-block.ts';
export type { Block, Column, ColumnType, DatabaseStore, Query, QueryOptions, Store } from './port.ts';
export { createRollUpJob, type RollUpJob, type RollUpJobOptions } from './roll-up-job.ts';
export { createStoreUsageIdentities } from './store-usage-identities.ts';
export {
  createTableRecovery,
  type RecoveryReport,
  type TableRecovery,
  type TableRecoveryOptions,
} from './table-recovery.ts';
export {
  type BatchReport,
  createTelemetryConsumer,
  type Replay,
  storeGroup,
  type TelemetryConsumer,
  type TelemetryConsumerOptions,
} from './telemetry-consumer.ts';
export { openUsageIdentities, type UsageIdentities } from './usage-identities.ts';
