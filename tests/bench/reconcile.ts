import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBillingLedger, createReconciliation } from 'billing-rater/ledger';
import { pino } from 'pino';
import type { TenantRecord } from 'streams/contract';
import { createChdbStore, type Store } from 'streams/store';
import { type BenchResult, summarise } from './results.ts';

const tenants = 1000;
const days = 30;
const rounds = 5;
/** Half past eleven of the last day: it and the one before are counted anew with each reading. */
const start = Date.parse('2026-11-01T00:00:00Z') / 1000;
const now = (start + (days - 1) * 86_400 + 11 * 3600 + 1800) * 1000;
const hours = (days - 1) * 24 + 11;
const range = { fromHour: start, toHour: start + days * 86_400 };

/**
 * Each tenant-hour: a level measured every 15 minutes, four points of another metric, two usage events, three batches, and what roll-ups and metering make of them.
 * Written as the jobs would have left it: making 720,000 hours by the jobs themselves takes an hour and is timed elsewhere.
 */
function statements(from: number, to: number): string[] {
  const pairs = `(SELECT 1 + number % ${tenants} AS tenant, toDateTime(${start} + ${from} * 3600 + 3600 * intDiv(number, ${tenants}), 'UTC') AS hour FROM numbers(${tenants * (to - from)}))`;
  const at = (second: string) => `toDateTime64(toUnixTimestamp(hour) + ${second}, 3, 'UTC')`;
  const level = '(100 + tenant % 900)';
  return [
    `INSERT INTO samples (tenant, series, time, value, received, flags, retention_days) SELECT tenant, 1, ${at('900 * n')}, ${level}, hour, 0, 400 FROM ${pairs} ARRAY JOIN range(4) AS n`,
    `INSERT INTO samples (tenant, series, time, value, received, flags, retention_days) SELECT tenant, 281474976710656 + n, ${at('900 * n + 7')}, n, hour, 0, 400 FROM ${pairs} ARRAY JOIN range(4) AS n`,
    `INSERT INTO usage_events (tenant, type, source, id, subject, time, value, received, late, partition, offset, retention_days) SELECT tenant, 'api_calls', '/isp', concat(toString(toUnixTimestamp(hour)), '-', toString(n)), 'portal', ${at('1000 * n + 1')}, toDecimal128('12.25', 12), hour, false, 0, 1, 400 FROM ${pairs} ARRAY JOIN range(2) AS n`,
    `INSERT INTO touched (token, signal, tenant, bucket, accepted, logged, accepted_sum, logged_sum, seq, partition, at) SELECT concat('e', toString(toUnixTimestamp(hour))), 'events', tenant, hour, 2, 2, 24.5, 24.5, 10, 0, hour FROM ${pairs}`,
    `INSERT INTO touched (token, signal, tenant, bucket, accepted, logged, seq, partition, at) SELECT concat('m', toString(n), '-', toString(toUnixTimestamp(hour))), 'metrics', tenant, hour, 4, 4, 10, 0, hour FROM ${pairs} ARRAY JOIN range(2) AS n`,
    `INSERT INTO rolled (signal, tenant, bucket, version, rows) SELECT 'metrics', tenant, hour, 10, 8 FROM ${pairs}`,
    `INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version) SELECT tenant, 'active_customers', '', hour + 900 * n, ${level} * 900, 900, 1, 0, 10 FROM ${pairs} ARRAY JOIN range(4) AS n`,
    `INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version) SELECT tenant, 'api_calls', '', hour + 900 * n, 12.25, 0, 1, 0, 10 FROM ${pairs} ARRAY JOIN range(2) AS n`,
  ];
}

async function fill(store: Store): Promise<void> {
  await store.execute(
    `INSERT INTO series (tenant, metric, series, kind) SELECT 1 + number, 'dotmac.customers.active', 1, 'gauge' FROM numbers(${tenants})`,
  );
  await store.execute(
    `INSERT INTO metered_positions (partition, next, at) SELECT 0, 11, fromUnixTimestamp64Milli(${now}, 'UTC')`,
  );
  for (let from = 0; from < hours; from += 120) {
    for (const sql of statements(from, Math.min(hours, from + 120))) {
      await store.execute(sql, {}, { timeoutSeconds: 300 });
    }
  }
}

/** What the call asks: everything added up, and the hours that differ. */
type Ask = () => Promise<{ hours: number; wrong: string[]; states: Record<string, number> }>;

async function mustFind(ask: Ask, expected: readonly string[], what: string): Promise<void> {
  const { wrong, states, hours: seen } = await ask();
  if (
    JSON.stringify(wrong) !== JSON.stringify(expected) ||
    states['mismatched'] !== expected.length ||
    states['pending'] !== 0
  ) {
    throw new Error(`${what}: ${JSON.stringify({ wrong, expected, states, seen })}`);
  }
  // Accepted, logged, rolled up of metrics; two of events; two of each of two meters.
  if (seen !== tenants * hours * 9) throw new Error(`${what}: ${seen} hand-overs instead of ${tenants * hours * 9}`);
}

/** Reconciliation of 30 days of 1,000 tenants: what `pulse reconcile` asks of the server. */
export async function reconcile(): Promise<BenchResult[]> {
  const dir = await mkdtemp(join(tmpdir(), 'pulse-bench-reconcile-'));
  const logger = pino({ level: 'silent' });
  // Memory and connections as a server has them.
  const store = createChdbStore({
    dir,
    memoryBytes: 450 * 1024 * 1024,
    connections: 4,
    logger,
    clock: { now: () => now },
  });
  await store.start();
  try {
    await fill(store);
    const ledger = createBillingLedger({
      store,
      storedPositions: async () => [{ partition: 0, next: 11 }],
      now: () => now,
    });
    const all = Array.from(
      { length: tenants },
      (_, index) => ({ number: index + 1, id: `isp-${index + 1}` }) as TenantRecord,
    );
    const reading = createReconciliation(ledger);
    const asked = { tenants: all, isAll: true, ...range };
    const ask: Ask = async () => {
      const { totals, handovers } = await reading.read(asked, { skip: 0, limit: 1000, state: 'mismatch' });
      const states = { balanced: 0, pending: 0, mismatched: 0 };
      for (const total of totals) {
        states.balanced += total.balanced;
        states.pending += total.pending;
        states.mismatched += total.mismatched;
      }
      const wrong = handovers.map(({ tenant, signal, hour, to }) => `${tenant} ${signal} ${hour} ${to}`);
      return { hours: totals.reduce((sum, total) => sum + total.hours, 0), wrong, states };
    };
    process.stdout.write('filled\n');
    const keptAt = performance.now();
    await ledger.keep(range);
    const keepSeconds = (performance.now() - keptAt) / 1000;
    await mustFind(ask, [], 'sound data');
    const planted = `tenant = 500 AND time = toDateTime64(${start + 12 * 86_400 + 5 * 3600 + 1}, 3, 'UTC')`;
    await store.execute(
      `ALTER TABLE usage_events UPDATE value = value + 0.000000000001 WHERE ${planted} SETTINGS mutations_sync = 1`,
    );
    const at = '2026-11-13T05:00:00Z';
    await mustFind(ask, [`isp-500 api_calls ${at} rated`, `isp-500 events ${at} stored`], 'one wrong hour');
    await store.execute(
      `ALTER TABLE usage_events UPDATE value = value - 0.000000000001 WHERE ${planted} SETTINGS mutations_sync = 1`,
    );
    await mustFind(ask, [], 'repaired data');
    const seconds: number[] = [];
    const cpuSeconds: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      // The newest hour grows between two readings, as in a server at work: resends, so that the figures stay.
      for (const sql of statements(hours - 1, hours)) await store.execute(sql);
      const began = performance.now();
      const cpu = process.cpuUsage();
      const { states } = await ask();
      seconds.push((performance.now() - began) / 1000);
      const used = process.cpuUsage(cpu);
      cpuSeconds.push((used.user + used.system) / 1e6);
      if (states['mismatched'] !== 0) throw new Error(`round ${round}: ${JSON.stringify(states)}`);
    }
    return [
      summarise('reconcile', 'seconds of 30 days × 1,000 tenants', 's', seconds, { pass: 2, aim: 1, better: 'lower' }),
      summarise('reconcile.cpu', 'seconds of processor time of it', 's', cpuSeconds, { better: 'lower' }),
      summarise('reconcile.keep', 'seconds to count all of it once', 's', [keepSeconds], { better: 'lower' }),
    ];
  } finally {
    await store.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
