import { z } from 'zod';
import { Decision, DecisionState } from './decision.ts';
import { invariant } from './errors.ts';
import { Tenant, TenantState } from './tenant.ts';

/** What one type of domain event says. */
interface EventDefinition<Audience extends 'tenant' | 'platform', Data extends z.ZodType> {
  readonly summary: string;
  /** Who may read it: the tenant it concerns and the operator, or the operator alone. */
  readonly audience: Audience;
  /** The part whose change it tells of. Null: that change does not exist yet, and nothing sends the event. */
  readonly emittedBy: string | null;
  readonly data: Data;
}

const ofTenant = <Data extends z.ZodType>(
  emittedBy: string | null,
  summary: string,
  data: Data,
): EventDefinition<'tenant', Data> => ({ summary, audience: 'tenant', emittedBy, data });
const ofPlatform = <Data extends z.ZodType>(
  emittedBy: string | null,
  summary: string,
  data: Data,
): EventDefinition<'platform', Data> => ({ summary, audience: 'platform', emittedBy, data });

const instant = z.iso.datetime();
const Month = z.string().regex(/^\d{4}-\d{2}$/);
const DecimalText = z.string().regex(/^-?\d+(\.\d+)?$/);
const Described = Tenant.omit({ id: true, state: true, createdAt: true }).strict();
const StateChange = z.strictObject({ before: TenantState, after: TenantState });
const DecisionChange = z.strictObject({
  decisionId: z.string(),
  kind: Decision.shape.kind,
  action: z.string(),
  state: DecisionState,
  actor: z.string(),
  detail: z.string(),
});
/** An hour of the conservation ledger where two hand-overs differ, or agree again. */
const LedgerHour = z.strictObject({
  tenant: z.string(),
  hour: instant,
  from: z.string(),
  to: z.string(),
  /** What differs: a signal or a meter. */
  subject: z.string(),
  counts: z.tuple([z.string(), z.string()]),
  sums: z.tuple([z.string().nullable(), z.string().nullable()]),
});
const orchestratorTenants = 'orchestrator/tenants';
const orchestratorDecisions = 'orchestrator/decisions';

/** Every type of domain event: the one list that producers, `GET /api/v1/events` and consumers of topic `events` share. */
export const domainEventTypes = {
  'tenant.created': ofTenant(orchestratorTenants, 'a tenant was created', Described),
  'tenant.changed': ofTenant(
    orchestratorTenants,
    'name, tier, plan, region or partner of a tenant changed',
    z.strictObject({ before: Described, after: Described }),
  ),
  'tenant.suspended': ofTenant(orchestratorTenants, 'a tenant was suspended', StateChange),
  'tenant.resumed': ofTenant(orchestratorTenants, 'a suspended tenant is active again', StateChange),
  'tenant.cancelled': ofTenant(orchestratorTenants, 'a tenant was cancelled for good', StateChange),
  'decision.opened': ofTenant(orchestratorDecisions, 'a proposal passed every gate and waits', DecisionChange),
  'decision.blocked': ofTenant(orchestratorDecisions, 'a gate held a decision back', DecisionChange),
  'decision.planned': ofTenant(orchestratorDecisions, 'an approved decision was planned', DecisionChange),
  'decision.vetoed': ofTenant(orchestratorDecisions, 'a person refused a decision', DecisionChange),
  'decision.expired': ofTenant(orchestratorDecisions, 'nobody resolved a decision in time', DecisionChange),
  'decision.applied': ofTenant(null, 'a decision was carried out; comes with applying plans', DecisionChange),
  'usage.sealed': ofTenant(
    'billing-rater/sealing',
    'the usage of a billing period is final',
    z.strictObject({ period: Month, start: instant, end: instant, sealedAt: instant, knownAt: z.string() }),
  ),
  'ledger.unbalanced': ofPlatform(
    'billing-rater/invoicing',
    'a hand-over lost, doubled or changed records',
    LedgerHour,
  ),
  'ledger.balanced': ofPlatform('billing-rater/invoicing', 'an unbalanced hour is balanced again', LedgerHour),
  'backup.verified': ofPlatform(
    'streams/backup',
    'a backup was restored for trial and found whole',
    z.strictObject({ backup: z.string(), takenAt: instant, bytes: z.int().min(0) }),
  ),
  'backup.failed': ofPlatform(
    'streams/backup',
    'a backup could not be taken or not be verified',
    z.strictObject({ backup: z.string(), takenAt: instant, code: z.string(), detail: z.string() }),
  ),
  'service.provisioned': ofTenant(
    null,
    'an instance is up; comes with applying plans',
    z.strictObject({ tier: z.string(), namespace: z.string() }),
  ),
  'plugin.subscribed': ofTenant(
    null,
    'a plugin was subscribed to; comes with licensing',
    z.strictObject({ plugin: z.string(), tier: z.string(), trial: z.boolean() }),
  ),
  'billing.cycle_started': ofTenant(
    null,
    'a billing period began; comes with billing runs',
    z.strictObject({ period: Month, start: instant, end: instant }),
  ),
  'invoice.issued': ofTenant(
    null,
    'an invoice was issued; comes with billing runs',
    z.strictObject({ invoice: z.string(), period: Month, currency: z.string(), total: DecimalText }),
  ),
  'invoice.paid': ofTenant(
    null,
    'an invoice was paid; comes with payments',
    z.strictObject({ invoice: z.string(), paidAt: instant, currency: z.string(), amount: DecimalText }),
  ),
  'sla.breached': ofTenant(
    null,
    'an objective was missed for good in a period; comes with alerts',
    z.strictObject({ period: Month, objective: z.number(), attainment: z.number() }),
  ),
  'incident.opened': ofTenant(
    null,
    'an incident was opened; comes with alerts',
    z.strictObject({ incident: z.string(), component: z.string(), openedAt: instant }),
  ),
} as const satisfies Record<string, EventDefinition<'tenant' | 'platform', z.ZodType>>;

type Catalogue = typeof domainEventTypes;
export type DomainEventType = keyof Catalogue;
const typeNames = Object.keys(domainEventTypes) as [DomainEventType, ...DomainEventType[]];
export const DomainEventType = z.enum(typeNames);

/** An event as the code that caused it says it; the rest of the envelope is added when it is written. */
export type DomainEventDraft = {
  [Type in DomainEventType]: {
    readonly type: Type;
    readonly data: z.input<Catalogue[Type]['data']>;
    /** What it concerns more closely; the tenant by default. */
    readonly subject?: string;
    /** Says that two tellings are of one event: the second is dropped while the first is kept. Random by default. */
    readonly id?: string;
    /** When it happened, ISO 8601; the time of the change by default. */
    readonly at?: string;
  } & (Catalogue[Type]['audience'] extends 'tenant' ? { readonly tenantId: string } : { readonly tenantId?: never });
}[DomainEventType];

/** *Source* CloudEvents 1.0, JSON format. `tenantid` and `correlationid` are extensions. */
export const DomainEvent = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.literal('/dotmac/pulse'),
  type: DomainEventType,
  subject: z.string().optional(),
  time: z.string(),
  datacontenttype: z.literal('application/json'),
  /** Absent: concerns the platform as a whole. */
  tenantid: z.string().optional(),
  correlationid: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type DomainEvent = z.infer<typeof DomainEvent>;

/** Makes the CloudEvent of a draft. *Errors* data that does not fit the catalogue, or an event that nothing sends yet, is a programmer error. */
export function createDomainEvent(
  draft: DomainEventDraft,
  given: { readonly id: string; readonly at: string; readonly correlationId: string },
): DomainEvent {
  const definition = domainEventTypes[draft.type];
  invariant(definition.emittedBy !== null, `nothing may send ${draft.type} yet`);
  const parsed = definition.data.safeParse(draft.data);
  invariant(
    parsed.success,
    `the data of ${draft.type} do not fit: ${parsed.error ? z.prettifyError(parsed.error) : ''}`,
  );
  const subject = draft.subject ?? draft.tenantId;
  return {
    specversion: '1.0',
    id: draft.id ?? given.id,
    source: '/dotmac/pulse',
    type: draft.type,
    ...(subject !== undefined && { subject }),
    time: draft.at ?? given.at,
    datacontenttype: 'application/json',
    ...(draft.tenantId !== undefined && { tenantid: draft.tenantId }),
    correlationid: given.correlationId,
    data: parsed.data as Record<string, unknown>,
  };
}
