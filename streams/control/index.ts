export { type AuditRecord, type AuditVerification, listAudit, verifyAudit } from './audit.ts';
export { auditRoutes } from './audit-http.ts';
export { fencedStore } from './fenced-store.ts';
export { type ControlConnection, createControl, type KyselyControl } from './kysely-control.ts';
export { createLeases, jobsReadiness, type LeaseTable, leaseLost, type ProcessLeases } from './leases.ts';
export { controlApiModule, controlModule, modules } from './module.ts';
export type {
  Actor,
  AuditEntry,
  Control,
  ControlTransaction,
  Fence,
  Leadership,
  Lease,
  Leases,
  LeaseWork,
  Mutation,
  Outbox,
  OutboxEntry,
  RowScope,
  WriteOptions,
} from './port.ts';
export {
  addRejectedCounts,
  dropRejectedCounts,
  listRejectedCounts,
  type RejectedPosition,
} from './rejected-counts.ts';
export type { ControlTables } from './tables.ts';
