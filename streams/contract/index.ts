export {
  DecimalString,
  Handover,
  HandoverTotal,
  Invoice,
  InvoiceLine,
  LedgerSelfTest,
  LineCheck,
  LineEvidence,
  Reconciliation,
  UsageReport,
} from './billing.ts';
export { DeadLetter, DeadLetterId, DeadLetterReplay } from './dead-letter.ts';
export { Decimal, type Rounding } from './decimal.ts';
export { Decision, DecisionState, DecisionView, Evidence, Outcome } from './decision.ts';
export {
  createDomainEvent,
  DomainEvent,
  type DomainEventDraft,
  DomainEventType,
  domainEventTypes,
} from './domain-event.ts';
export { AppError, invariant, type Problem, toProblem } from './errors.ts';
export { Fleet, FleetRow } from './fleet.ts';
export { defaultLimits, LimitsChange, RejectedCount, TenantLimits, TenantLimitsView } from './limits.ts';
export { BackupList, BackupRun, NewReplay, ReplayProgress, ReplayRun, RunState } from './maintenance.ts';
export { Money, minorDigitsOf } from './money.ts';
export { PageQuery, pageOf } from './page.ts';
export { type BillingPeriod, periodAt, periodBefore, periodOf } from './period.ts';
export { ForecastReport, SlaReport } from './sla.ts';
export {
  AttributeFilters,
  MetricRange,
  MetricRangeQuery,
  MetricSummaries,
  MetricSummary,
  RangeAggregate,
  RangeQuery,
  Signal,
  TelemetryCounts,
  TelemetryRange,
} from './telemetry.ts';
export {
  ApiKey,
  ApiKeyScope,
  CreatedApiKey,
  CreatedTenant,
  NewApiKey,
  NewTenant,
  Plan,
  Tenant,
  TenantId,
  type TenantRecord,
  TenantState,
  Tier,
} from './tenant.ts';
export { UsageEvent } from './usage-event.ts';
