import type { TenantDirectory } from 'streams/access';
import type { Decision } from 'streams/contract';
import type { Log } from 'streams/log';
import type { Clock } from 'streams/runtime';
import type { Store } from 'streams/store';
import { toDecision } from './decision.ts';
import type { ScalingPolicy } from './policy.ts';
import { judgeScaling } from './proposal.ts';
import { cpuHoursQuery, cpuMinutesQuery } from './queries.ts';

/** `proposed`: a decision was appended; `open`: there is one of today already. */
export type ScalingResult = 'proposed' | 'open' | 'steady' | 'frozen';

/** What the job tells about each tenant it looked at. */
export interface ScalingObserver {
  judged(tenantId: string, result: ScalingResult, reason: string): void;
}

export interface ScalingJobOptions {
  readonly store: Store;
  readonly log: Log;
  readonly tenants: TenantDirectory;
  readonly clock: Clock;
  readonly policy: ScalingPolicy;
  readonly observer: ScalingObserver;
}

/**
 * Looks at every active tenant once and appends new proposals to topic `decisions`.
 *
 * *Shape* returns the decisions appended by this run. A decision is appended once a process and key; after a restart it may come again with the same key, and the consumer keeps one.
 */
export function createScalingJob(options: ScalingJobOptions): { run(): Promise<Decision[]> } {
  const { store, log, tenants, clock, policy, observer } = options;
  const proposed = new Set<string>();
  return {
    async run() {
      const nowMs = clock.now();
      const active = tenants.list().filter((tenant) => tenant.state === 'active');
      if (active.length === 0) return [];
      const numbers = active.map((tenant) => tenant.number);
      const minuteStart = nowMs - Math.max(policy.windowSpanMinutes, 60) * 60_000;
      const hourStart = (Math.floor(nowMs / 3_600_000) - policy.lowHours) * 3_600_000;
      const [minutes, hours] = await Promise.all([
        store.query(cpuMinutesQuery, { tenants: numbers, start: minuteStart, end: nowMs }),
        store.query(cpuHoursQuery, { tenants: numbers, start: hourStart, end: nowMs }),
      ]);
      const minutesOf = Map.groupBy(minutes, (row) => row.tenantNumber);
      const hoursOf = Map.groupBy(hours, (row) => row.tenantNumber);
      const decisions: Decision[] = [];
      for (const tenant of active) {
        const own = minutesOf.get(tenant.number) ?? [];
        const newestMs = own.reduce<number | null>((newest, row) => Math.max(newest ?? 0, row.newestMs), null);
        const verdict = judgeScaling(
          { tier: tenant.tier, minutes: own, hours: hoursOf.get(tenant.number) ?? [], newestMs, nowMs },
          policy,
        );
        if (verdict.kind !== 'propose' || newestMs === null) {
          observer.judged(tenant.id, verdict.kind === 'propose' ? 'frozen' : verdict.kind, verdict.reason);
          continue;
        }
        const startMs = verdict.direction === 'out' ? minuteStart : hourStart;
        const decision = toDecision(tenant, verdict, { newestMs, nowMs, startMs }, policy);
        const known = proposed.has(decision.idempotencyKey);
        observer.judged(tenant.id, known ? 'open' : 'proposed', verdict.reason);
        if (!known) decisions.push(decision);
      }
      if (decisions.length > 0) {
        const encoder = new TextEncoder();
        await log.append(
          'decisions',
          decisions.map((decision) => ({
            key: decision.tenantId,
            headers: {},
            payload: encoder.encode(JSON.stringify(decision)),
          })),
        );
      }
      const today = new Date(nowMs).toISOString().slice(0, 10);
      for (const key of proposed) if (!key.endsWith(today)) proposed.delete(key);
      for (const decision of decisions) proposed.add(decision.idempotencyKey);
      return decisions;
    },
  };
}
