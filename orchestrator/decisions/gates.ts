import type { Decision } from 'streams/contract';

/** Rules of the gates; all of it is data so that a past decision can be judged by the rules of its time. */
export interface GatePolicy {
  readonly version: string;
  /** Evidence older than this freezes the action: stale telemetry is no ground to act on. */
  readonly freshnessSeconds: number;
  /** Time that has to pass after the last accepted decision of the same tenant and kind. */
  readonly coolDownSeconds: number;
}

export const defaultGatePolicy: GatePolicy = { version: 'gates-1', freshnessSeconds: 600, coolDownSeconds: 1800 };

export interface GateResult {
  readonly gate: 'not_expired' | 'freshness' | 'cool_down' | 'known_action';
  readonly passed: boolean;
  readonly reason: string;
}

/** What the gates look at beside the decision. `lastAcceptedAtMs` is null when there was none. */
export interface GateFacts {
  readonly nowMs: number;
  readonly lastAcceptedAtMs: number | null;
  readonly actionIsKnown: boolean;
}

/**
 * Judges a decision; it may go on only when every gate passed.
 *
 * *Bias* errs towards doing nothing: an unreadable time or an evidence from the future does not pass.
 */
export function judge(decision: Decision, facts: GateFacts, policy: GatePolicy): GateResult[] {
  return [
    notExpired(decision, facts),
    freshness(decision, facts, policy),
    coolDown(facts, policy),
    {
      gate: 'known_action',
      passed: facts.actionIsKnown,
      reason: facts.actionIsKnown
        ? `action ${decision.action.name} can be planned`
        : `action ${decision.action.name} is not known here`,
    },
  ];
}

function notExpired(decision: Decision, { nowMs }: GateFacts): GateResult {
  const expiresMs = Date.parse(decision.expiresAt);
  return { gate: 'not_expired', passed: nowMs < expiresMs, reason: `valid until ${decision.expiresAt}` };
}

function freshness(decision: Decision, { nowMs }: GateFacts, policy: GatePolicy): GateResult {
  const ageSeconds = Math.round((nowMs - Date.parse(decision.evidence.freshAsOf)) / 1000);
  // A small negative age is clock skew between processes; more than a minute is a wrong clock.
  const passed = ageSeconds >= -60 && ageSeconds <= policy.freshnessSeconds;
  return {
    gate: 'freshness',
    passed,
    reason: `evidence is ${ageSeconds} s old, allowed are ${policy.freshnessSeconds} s`,
  };
}

function coolDown({ nowMs, lastAcceptedAtMs }: GateFacts, policy: GatePolicy): GateResult {
  if (lastAcceptedAtMs === null) return { gate: 'cool_down', passed: true, reason: 'no earlier decision of this kind' };
  const seconds = Math.round((nowMs - lastAcceptedAtMs) / 1000);
  return {
    gate: 'cool_down',
    passed: seconds >= policy.coolDownSeconds,
    reason: `the last one was accepted ${seconds} s ago, at least ${policy.coolDownSeconds} s have to pass`,
  };
}
