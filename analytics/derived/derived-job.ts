import type { TenantDirectory } from 'streams/access';
import type { Lease } from 'streams/control';
import type { ForwardTarget } from 'streams/forwarding';
import { encodeOtlp } from 'streams/otlp';
import type { Clock } from 'streams/runtime';
import type { Store } from 'streams/store';
import { readSlaSummaries } from '../sla/sla-reader.ts';
import { runningPeriod, toOtlp } from './derived-metrics.ts';

/** Tenants in one request. */
const chunkTenants = 500;

/**
 * Computes the derived metrics of all active tenants and sends them to the receiver of forwarded telemetry.
 *
 * *Shape* returns how many tenants were sent and why a request was not taken, if any. *Bias* a minute that is not taken is not sent again: the next one has newer figures.
 */
export async function sendDerivedMetrics(deps: {
  readonly store: Store;
  readonly tenants: Pick<TenantDirectory, 'list'>;
  readonly clock: Clock;
  readonly target: ForwardTarget;
  readonly lease: Lease;
}): Promise<{ sent: number; failure: string | null }> {
  const nowMs = deps.clock.now();
  const active = deps.tenants.list().filter(({ state }) => state === 'active');
  let sent = 0;
  for (let at = 0; at < active.length; at += chunkTenants) {
    const subjects = active
      .slice(at, at + chunkTenants)
      .map((tenant) => ({ tenant, period: runningPeriod(tenant, nowMs) }));
    const summaries = await readSlaSummaries(deps.store, subjects, nowMs);
    const figures = subjects.flatMap(({ tenant, period }) => {
      const sla = summaries.get(tenant.number);
      return sla === undefined ? [] : [{ tenant, period, sla }];
    });
    const request = toOtlp(figures, nowMs);
    if (request === null) continue;
    await deps.lease.check();
    const result = await deps.target.sender.send('metrics', encodeOtlp('metrics', request), deps.lease.signal);
    if (result.kind !== 'sent') return { sent, failure: result.reason };
    sent += figures.length;
  }
  return { sent, failure: null };
}
