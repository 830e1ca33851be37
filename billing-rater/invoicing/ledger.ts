export { createBillingLedger } from './billing-ledger.ts';
export { type LedgerVerdict, runLedgerSelfTest, type SelfTestCheck, type SelfTestReport } from './ledger-self-test.ts';
export { ledgerSources } from './ledger-sources.ts';
export {
  createReconciliation,
  hoursOfPeriod,
  type ReconciliationRange,
  type ReconciliationReader,
} from './reconciliation.ts';
