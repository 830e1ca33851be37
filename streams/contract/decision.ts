import { z } from 'zod';
import { TenantId } from './tenant.ts';

/** What a decision rests on: the query that was run, the values it gave, and how fresh they were. */
export const Evidence = z.object({
  query: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  values: z.record(z.string(), z.unknown()),
  /** Instant of the newest datum the values rest on, ISO 8601. */
  freshAsOf: z.string(),
  /** Link of the API that answers the same data. */
  link: z.string(),
});
export type Evidence = z.infer<typeof Evidence>;

/** A proposal on topic `decisions`. `analytics` and licensing propose; only the orchestrator acts. *Source* architecture §5. */
export const Decision = z.object({
  id: z.string(),
  tenantId: TenantId,
  kind: z.literal(['scale', 'suspend', 'resume', 'alert']),
  action: z.object({ name: z.string(), parameters: z.record(z.string(), z.unknown()) }),
  reason: z.string(),
  evidence: Evidence,
  policyVersion: z.string(),
  counterfactual: z.string(),
  proposedAt: z.string(),
  expiresAt: z.string(),
  idempotencyKey: z.string(),
});
export type Decision = z.infer<typeof Decision>;

export const DecisionState = z.literal(['open', 'planned', 'applied', 'blocked', 'vetoed', 'expired']);
export type DecisionState = z.infer<typeof DecisionState>;

/** What became of a decision; append-only, the newest one gives the state. */
export const Outcome = z.object({
  state: DecisionState,
  at: z.string(),
  actor: z.string(),
  gates: z.array(z.object({ gate: z.string(), passed: z.boolean(), reason: z.string() })),
  detail: z.string(),
  /** Kubernetes objects and the difference that would be applied, when the action concerns the cluster. */
  plan: z.object({ objects: z.array(z.record(z.string(), z.unknown())), diff: z.string() }).nullable(),
});
export type Outcome = z.infer<typeof Outcome>;

/** A decision as `GET /api/v1/decisions` lists it. */
export const DecisionView = Decision.extend({ state: DecisionState, outcomes: z.array(Outcome) });
export type DecisionView = z.infer<typeof DecisionView>;
