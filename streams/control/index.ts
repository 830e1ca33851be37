export { type AuditRecord, type AuditVerification, listAudit, verifyAudit } from './audit.ts';
export { auditRoutes } from './audit-http.ts';
export { type ControlConnection, createControl, type KyselyControl } from './kysely-control.ts';
export { controlApiModule, controlModule, modules } from './module.ts';
export type { Actor, AuditEntry, Control, ControlTransaction, RowScope } from './port.ts';
export {
  addRejectedCounts,
  dropRejectedCounts,
  listRejectedCounts,
  type RejectedPosition,
} from './rejected-counts.ts';
export type { ControlTables } from './tables.ts';
