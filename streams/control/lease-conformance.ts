import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KyselyControl } from './kysely-control.ts';
import { createLeases, type ProcessLeases } from './leases.ts';
import type { ControlTransaction, Fence, Lease } from './port.ts';
import { insertTenant, type TestControl, testActor } from './test-control.ts';

/** Long enough for a machine that is busy with other suites: a renewal that comes late gives a lease away. */
const leaseMs = 1800;
const everything = { kind: 'global' } as const;

/** What every backend guarantees to jobs that want to lead; two holders share one database. */
export function leaseConformance(start: () => Promise<TestControl>): void {
  let control: KyselyControl;
  let end: () => Promise<void>;
  const open: ProcessLeases[] = [];

  beforeAll(async () => {
    ({ control, end } = await start());
  });
  afterAll(async () => {
    await Promise.all(open.map((leases) => leases.stop()));
    await end();
  });

  const table = () => control.leaseTable({ leaseMs, isAlone: false });
  const holder = (leaseTable = table()): ProcessLeases => {
    const leases = createLeases({ table: leaseTable, leaseMs, logger: pino({ level: 'silent' }) });
    open.push(leases);
    return leases;
  };
  /** Work that notes its terms. */
  function recorder() {
    const terms: Lease[] = [];
    let running = 0;
    return {
      terms,
      running: () => running,
      work: (lease: Lease) => {
        terms.push(lease);
        running += 1;
        return {
          stop() {
            running -= 1;
          },
        };
      },
    };
  }
  const insertFenced = (id: string, fence: Fence) =>
    control.mutate(
      testActor,
      everything,
      async (tx: ControlTransaction) => ({
        result: await insertTenant(tx, id),
        audit: { action: 'test.write', resource: id, tenantId: null },
      }),
      { fence },
    );
  const tenants = async () =>
    (await control.read(everything, (tx) => tx.selectFrom('tenants').select('id').execute())).map(({ id }) => id);

  test('of two processes one leads; the other one takes over when the first gives back, with a greater token', async () => {
    const [first, second] = [recorder(), recorder()];
    const leading = holder().lead('handed-over', first.work);
    await expect.poll(() => leading.isLeading()).toBe(true);
    const waiting = holder().lead('handed-over', second.work);
    await new Promise((resolve) => setTimeout(resolve, leaseMs));
    expect([first.running(), second.running(), waiting.isLeading()]).toEqual([1, 0, false]);
    await leading.stop();
    expect(first.running()).toBe(0);
    await expect.poll(() => second.running(), { timeout: 5000 }).toBe(1);
    expect(second.terms[0]?.token).toBe((first.terms.at(-1)?.token ?? 0n) + 1n);
    await waiting.stop();
  });

  test('C36: a holder that stops renewing is taken over, is told, and none of its writes is applied', async () => {
    const stuck = table();
    let isStuck = false;
    const [first, second] = [recorder(), recorder()];
    const leading = holder({
      ...stuck,
      round: (held, wanted) => (isStuck ? Promise.reject(new Error('no answer')) : stuck.round(held, wanted)),
      release: (fences) => (isStuck ? Promise.resolve() : stuck.release(fences)),
    }).lead('stuck', first.work);
    await expect.poll(() => leading.isLeading()).toBe(true);
    const [stale] = first.terms;
    if (stale === undefined) throw new Error('no term');
    await insertFenced('before', stale);
    isStuck = true;
    const waiting = holder().lead('stuck', second.work);
    await expect.poll(() => second.running(), { timeout: 5000 }).toBe(1);
    // Told by its own timer, before the database gave the lease away.
    expect(stale.signal.aborted).toBe(true);
    expect(first.running()).toBe(0);
    await expect(stale.check()).rejects.toMatchObject({ code: 'lease.lost', retryable: false });
    await expect(insertFenced('stale', stale)).rejects.toMatchObject({ code: 'lease.lost', retryable: false });
    await expect(control.tally(async () => null, { fence: stale })).rejects.toMatchObject({ code: 'lease.lost' });
    const [next] = second.terms;
    if (next === undefined) throw new Error('no term');
    await next.check();
    await insertFenced('after', next);
    expect(await tenants()).toEqual(expect.arrayContaining(['before', 'after']));
    expect(await tenants()).not.toContain('stale');
    await Promise.all([leading.stop(), waiting.stop()]);
  });

  test('a fence with a token that never was, or of no lease at all, is refused', async () => {
    await table().round([], ['known']);
    await expect(insertFenced('made-up', { name: 'known', token: 99n })).rejects.toMatchObject({ code: 'lease.lost' });
    await expect(insertFenced('made-up', { name: 'unknown', token: 1n })).rejects.toMatchObject({ code: 'lease.lost' });
    expect(await tenants()).not.toContain('made-up');
  });

  test('one statement renews all leases of a process and takes all that are free', async () => {
    const own = table();
    const taken = await own.round([], ['a', 'b', 'c']);
    expect(taken.taken.map(({ name, token }) => [name, token]).sort()).toEqual([
      ['a', 1n],
      ['b', 1n],
      ['c', 1n],
    ]);
    const both = await own.round(taken.taken, ['d']);
    expect(both.renewed).toHaveLength(3);
    expect(both.taken).toEqual([{ name: 'd', token: 1n }]);
    // Another holder gets none of them, and cannot renew with the tokens of this one.
    expect(await table().round(taken.taken, ['a', 'b', 'c', 'd'])).toEqual({ renewed: [], taken: [] });
  });

  test('a lease that was taken while its answer was lost is taken again at once, under a new token', async () => {
    const own = table();
    await own.round([], ['lost-answer']);
    expect((await own.round([], ['lost-answer'])).taken).toEqual([{ name: 'lost-answer', token: 2n }]);
  });

  test('a lease given back is free at once and cannot be renewed any more', async () => {
    const own = table();
    const { taken } = await own.round([], ['given-back']);
    await own.release(taken);
    expect(await own.round(taken, [])).toEqual({ renewed: [], taken: [] });
    expect((await table().round([], ['given-back'])).taken).toEqual([{ name: 'given-back', token: 2n }]);
  });

  test('a process that is alone with its database takes leases of a process that was killed at once', async () => {
    await table().round([], ['orphaned']);
    const alone = control.leaseTable({ leaseMs, isAlone: true });
    expect((await alone.round([], ['orphaned'])).taken).toEqual([{ name: 'orphaned', token: 2n }]);
  });

  test('work that does not start gives the lease to another process', async () => {
    const failing = holder().lead('failing', () => Promise.reject(new Error('cannot start')));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = recorder();
    const waiting = holder().lead('failing', second.work);
    await expect.poll(() => second.running(), { timeout: 5000 }).toBe(1);
    expect(failing.isLeading()).toBe(false);
    await Promise.all([failing.stop(), waiting.stop()]);
  });

  test('the lease table is written by nobody else', async () => {
    await expect(
      control.mutate(testActor, everything, async (tx) => ({
        result: await tx.updateTable('leases').set({ token: '1' }).execute(),
        audit: { action: 'test.write', resource: 'leases', tenantId: null },
      })),
    ).rejects.toMatchObject({ code: 'control.forbidden' });
    await expect(control.tally((tx) => tx.updateTable('leases').set({ token: '1' }).execute())).rejects.toMatchObject({
      code: 'control.forbidden',
    });
    const seen = await control.read({ kind: 'tenant', tenantId: 'before' }, (tx) =>
      tx.selectFrom('leases').selectAll().execute(),
    );
    expect(seen).toEqual([]);
  });
}
