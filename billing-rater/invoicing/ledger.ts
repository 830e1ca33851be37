export { createBillingLedger } from './billing-ledger.ts';
export { ledgerSources } from './ledger-sources.ts';
export {
  createReconciliation,
  hoursOfPeriod,
  type ReconciliationRange,
  type ReconciliationReader,
} from './reconciliation.ts';
