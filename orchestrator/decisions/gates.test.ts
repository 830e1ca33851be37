import type { Decision } from 'streams/contract';
import { TenantId } from 'streams/contract';
import { describe, expect, test } from 'vitest';
import { defaultGatePolicy, type GateFacts, judge } from './gates.ts';

const nowMs = Date.parse('2026-11-20T12:00:00Z');

const decision = (change: Partial<Decision> = {}, freshAsOf = '2026-11-20T11:59:00Z'): Decision => ({
  id: 'd1',
  tenantId: TenantId.parse('isp-alpha'),
  kind: 'scale',
  action: { name: 'change_tier', parameters: { tier: 'medium' } },
  reason: 'CPU above 80 % for 15 of the last 20 minutes',
  evidence: { query: 'select 1', parameters: {}, values: {}, freshAsOf, link: '/api/v1/telemetry/metrics' },
  policyVersion: 'p1',
  counterfactual: 'requests queue',
  proposedAt: '2026-11-20T11:59:30Z',
  expiresAt: '2026-11-20T13:00:00Z',
  idempotencyKey: 'isp-alpha/scale/2026-11-20',
  ...change,
});
const facts = (change: Partial<GateFacts> = {}): GateFacts => ({
  nowMs,
  lastAcceptedAtMs: null,
  actionIsKnown: true,
  ...change,
});
const failed = (d: Decision, f: GateFacts) =>
  judge(d, f, defaultGatePolicy)
    .filter(({ passed }) => !passed)
    .map(({ gate }) => gate);

describe('the gates', () => {
  test('let a fresh, first, known decision pass', () => {
    expect(failed(decision(), facts())).toEqual([]);
  });
  test('freeze an action whose evidence is stale', () => {
    expect(failed(decision({}, '2026-11-20T11:49:59Z'), facts())).toEqual(['freshness']);
  });
  test('freeze an action whose evidence has no readable time or comes from the future', () => {
    expect(failed(decision({}, 'yesterday'), facts())).toEqual(['freshness']);
    expect(failed(decision({}, '2026-11-20T12:02:00Z'), facts())).toEqual(['freshness']);
  });
  test('hold a second decision of the kind back until the cool-down is over, to the second', () => {
    const at = nowMs - defaultGatePolicy.coolDownSeconds * 1000;
    expect(failed(decision(), facts({ lastAcceptedAtMs: at + 1000 }))).toEqual(['cool_down']);
    expect(failed(decision(), facts({ lastAcceptedAtMs: at }))).toEqual([]);
  });
  test('refuse what is expired, at the very instant, and what has no readable end', () => {
    expect(failed(decision({ expiresAt: '2026-11-20T12:00:00Z' }), facts())).toEqual(['not_expired']);
    expect(failed(decision({ expiresAt: '' }), facts())).toEqual(['not_expired']);
  });
  test('refuse an action that cannot be planned', () => {
    expect(failed(decision(), facts({ actionIsKnown: false }))).toEqual(['known_action']);
  });
});
