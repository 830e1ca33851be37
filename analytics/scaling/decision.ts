import { Decision, type TenantRecord } from 'streams/contract';
import type { ScalingPolicy } from './policy.ts';
import type { ScalingVerdict } from './proposal.ts';

type Proposal = Extract<ScalingVerdict, { kind: 'propose' }>;

/**
 * Makes the decision record of a proposal. Its id and idempotency key follow from tenant, kind and UTC day, so a restart proposes the same one again and the consumer keeps one.
 *
 * *Units* milliseconds since the epoch.
 */
export function toDecision(
  tenant: TenantRecord,
  proposal: Proposal,
  facts: { readonly newestMs: number; readonly nowMs: number; readonly startMs: number },
  policy: ScalingPolicy,
): Decision {
  const at = new Date(facts.nowMs).toISOString();
  const day = at.slice(0, 10);
  const start = new Date(facts.startMs).toISOString();
  const range = new URLSearchParams({
    tenant: tenant.id,
    metric: 'container.cpu.usage',
    start,
    end: at,
    step: proposal.direction === 'out' ? '60s' : '1h',
    aggregate: proposal.direction === 'out' ? 'avg' : 'max',
  });
  return Decision.parse({
    id: `scale-${tenant.id}-${day}`,
    tenantId: tenant.id,
    kind: 'scale',
    action: { name: 'change_tier', parameters: { from: tenant.tier, tier: proposal.tier } },
    reason: proposal.reason,
    evidence: {
      query:
        proposal.direction === 'out' ? 'analytics/scaling/sql/cpu_minutes.sql' : 'analytics/scaling/sql/cpu_hours.sql',
      parameters: { tenant: tenant.id, start, end: at },
      values: proposal.values,
      freshAsOf: new Date(facts.newestMs).toISOString(),
      link: `/api/v1/telemetry/metrics/range?${range}`,
    },
    policyVersion: policy.version,
    counterfactual: proposal.counterfactual,
    proposedAt: at,
    expiresAt: new Date(facts.nowMs + policy.expirySeconds * 1_000).toISOString(),
    idempotencyKey: `${tenant.id}/scale/${day}`,
  });
}
