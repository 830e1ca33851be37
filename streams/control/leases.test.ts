import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLeases, jobsReadiness, type LeaseTable } from './leases.ts';
import type { Fence, Lease } from './port.ts';

const leaseMs = 12_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A table in memory whose answers a test decides. */
function memoryTable() {
  const held = new Map<string, bigint>();
  let token = 0n;
  const table = {
    rounds: 0,
    released: [] as Fence[],
    isAway: false,
    isTaken: false,
    async round(own: readonly Fence[], wanted: readonly string[]) {
      table.rounds += 1;
      if (table.isAway) throw new Error('away');
      if (table.isTaken) return { renewed: [], taken: [] };
      const taken = wanted.map((name) => {
        token += 1n;
        held.set(name, token);
        return { name, token };
      });
      return { renewed: own.filter((fence) => held.get(fence.name) === fence.token), taken };
    },
    isHeld: async ({ name, token: own }: Fence) => held.get(name) === own,
    async release(fences: readonly Fence[]) {
      table.released.push(...fences.map(({ name, token: own }) => ({ name, token: own })));
      for (const { name } of fences) held.delete(name);
    },
  } satisfies LeaseTable & Record<string, unknown>;
  return table;
}
function open() {
  const table = memoryTable();
  const changes: string[] = [];
  const leases = createLeases({
    table,
    leaseMs,
    logger: pino({ level: 'silent' }),
    onChange: (name, isLeading) => changes.push(`${name} ${isLeading ? 'leads' : 'stands by'}`),
  });
  return { table, leases, changes };
}
const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('jobs that start together share one statement, and all of them one renewal a third of the lease', async () => {
  const { table, leases } = open();
  const jobs = ['a', 'b', 'c'].map((name) => leases.lead(name, () => ({ stop() {} })));
  await elapse(0);
  expect(jobs.map((job) => job.isLeading())).toEqual([true, true, true]);
  expect(table.rounds).toBe(1);
  await elapse(leaseMs * 2);
  expect(table.rounds).toBe(7);
  expect(jobsReadiness(jobs)).toEqual({ ready: true, jobs: { a: 'leading', b: 'leading', c: 'leading' } });
  await leases.stop();
  expect(table.released.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
});

test('without renewals the signal comes a sixth of the lease before its end, and the work is stopped', async () => {
  const { table, leases, changes } = open();
  let seen: Lease | undefined;
  let stops = 0;
  const job = leases.lead('a', (lease) => {
    seen = lease;
    return {
      stop() {
        stops += 1;
      },
    };
  });
  await elapse(0);
  table.isAway = true;
  await elapse((leaseMs * 5) / 6 - 1);
  expect(seen?.signal.aborted).toBe(false);
  await elapse(1);
  expect([seen?.signal.aborted, stops, job.isLeading()]).toEqual([true, 1, false]);
  await expect(seen?.check()).rejects.toMatchObject({ code: 'lease.lost' });
  // What was lost is not given back: it may be somebody else's.
  expect(table.released).toEqual([]);
  table.isAway = false;
  await elapse(leaseMs / 3);
  expect(job.isLeading()).toBe(true);
  expect(changes).toEqual(['a stands by', 'a leads', 'a stands by', 'a leads']);
  await leases.stop();
});

test('a lease that the table does not renew is lost at once', async () => {
  const { table, leases } = open();
  const job = leases.lead('a', () => ({ stop() {} }));
  await elapse(0);
  table.isTaken = true;
  await elapse(leaseMs / 3);
  expect(job.isLeading()).toBe(false);
  await leases.stop();
});

test('a job that is stopped while its work starts stops the work, and then gives the lease back', async () => {
  const { table, leases } = open();
  const order: string[] = [];
  const started = Promise.withResolvers<void>();
  const job = leases.lead('a', async () => {
    await started.promise;
    order.push('started');
    return { stop: () => void order.push('stopped') };
  });
  await elapse(0);
  const stopping = job.stop();
  await elapse(1);
  expect(order).toEqual([]);
  started.resolve();
  await stopping;
  expect(order).toEqual(['started', 'stopped']);
  expect(table.released).toEqual([{ name: 'a', token: 1n }]);
  await leases.stop();
});

test('a lease that is won in the moment the job is stopped goes back', async () => {
  const { table, leases } = open();
  const gate = Promise.withResolvers<void>();
  const { round } = table;
  table.round = async (own, wanted) => {
    await gate.promise;
    return round(own, wanted);
  };
  let starts = 0;
  const job = leases.lead('a', () => {
    starts += 1;
    return { stop() {} };
  });
  await elapse(0);
  const stopping = job.stop();
  gate.resolve();
  await stopping;
  await elapse(1);
  expect([starts, table.released]).toEqual([0, [{ name: 'a', token: 1n }]]);
  await leases.stop();
});

test('work that cannot start gives the lease back and waits before it tries again', async () => {
  const { table, leases } = open();
  let starts = 0;
  leases.lead('a', () => {
    starts += 1;
    throw new Error('no');
  });
  await elapse(0);
  expect([starts, table.released.length]).toEqual([1, 1]);
  await elapse(leaseMs / 3 - 1);
  expect(starts).toBe(1);
  await elapse(2);
  expect(starts).toBe(2);
  await leases.stop();
});

test('one name leads once a process', () => {
  const { leases } = open();
  leases.lead('a', () => ({ stop() {} }));
  expect(() => leases.lead('a', () => ({ stop() {} }))).toThrow('leads a already');
});
