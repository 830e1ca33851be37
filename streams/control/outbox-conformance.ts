import { expect, test } from 'vitest';
import type { DomainEventDraft } from '../contract/index.ts';
import type { KyselyControl } from './kysely-control.ts';
import type { ControlTransaction } from './port.ts';
import { insertTenant, testActor } from './test-control.ts';
import { audit, everything, suspended } from './test-rows.ts';

/** What mutations leave for the relay; `of` gives a control plane with the rows of `seedTwoTenants`. */
export function outboxConformance(of: () => KyselyControl): void {
  const leave = (...events: DomainEventDraft[]) =>
    of().mutate(testActor, everything, async () => ({ result: null, audit, events }));
  const fence = async () => {
    const { taken } = await of().leaseTable({ leaseMs: 10_000, isAlone: true }).round([], ['relay']);
    const [first] = taken;
    if (first === undefined) throw new Error('no lease');
    return first;
  };

  test('a mutation leaves its events beside its audit record, or neither', async () => {
    const { outbox } = of();
    await outbox.markSent(await outbox.waiting(100), await fence());
    let woken = 0;
    const end = outbox.onWritten(() => {
      woken += 1;
    });
    await leave(suspended('alpha'), suspended('beta'));
    await expect(
      of().mutate(testActor, everything, async (tx) => {
        await insertTenant(tx, 'alpha');
        return { result: null, audit, events: suspended('alpha') };
      }),
    ).rejects.toMatchObject({ code: 'control.conflict' });
    await expect(
      // A type that the catalogue knows and that nothing sends yet.
      leave({ type: 'service.provisioned', tenantId: 'alpha', data: { tier: 'small', namespace: 'x' } }),
    ).rejects.toThrow('nothing may send service.provisioned');
    end();
    expect(woken).toBe(1);
    const waiting = await outbox.waiting(100);
    expect(waiting.map(({ event }) => [event.type, event.tenantid, event.specversion, event.correlationid])).toEqual([
      ['tenant.suspended', 'alpha', '1.0', 'test'],
      ['tenant.suspended', 'beta', '1.0', 'test'],
    ]);
    expect(await outbox.backlog()).toMatchObject({ events: 2 });
  });

  test('events come in the order of the commits, also of many at once, and each once under an id of its own', async () => {
    const { outbox } = of();
    await outbox.markSent(await outbox.waiting(100), await fence());
    const audited = async () =>
      (
        await of().read(everything, (tx) =>
          tx.selectFrom('audit_log').select(['seq', 'resource']).orderBy('seq').execute(),
        )
      )
        .filter(({ resource }) => resource.startsWith('order-'))
        .map(({ resource }) => resource);
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        of().mutate(testActor, everything, async () => ({
          result: null,
          audit: { ...audit, resource: `order-${index}` },
          events: suspended('alpha', `order-${index}`),
        })),
      ),
    );
    await leave(suspended('alpha', 'order-3'));
    expect((await outbox.waiting(100)).map(({ event }) => event.id)).toEqual(await audited());
  });

  test('marks and drops of a relay that lost its lease are refused; what is not sent is never dropped', async () => {
    const { outbox } = of();
    await leave(suspended('alpha'));
    const waiting = await outbox.waiting(100);
    const stale = await fence();
    const current = await fence();
    await expect(outbox.markSent(waiting, stale)).rejects.toMatchObject({ code: 'lease.lost' });
    await expect(outbox.drop(0, stale)).rejects.toMatchObject({ code: 'lease.lost' });
    expect(await outbox.waiting(100)).toEqual(waiting);
    await outbox.markSent(waiting.slice(0, -1), current);
    await outbox.drop(0, current);
    expect(await outbox.waiting(100)).toEqual(waiting.slice(-1));
    expect(await outbox.drop(0, current)).toBe(0);
  });

  test('nobody but a mutation can make up an event, and only the relay marks one', async () => {
    const row = { id: 'forged', type: 'x', tenant_id: 'alpha', at: '2026-11-01T00:00:00Z', document: '{}' };
    const writes: readonly ((tx: ControlTransaction) => Promise<unknown>)[] = [
      (tx) => tx.insertInto('outbox').values(row).execute(),
      (tx) => tx.updateTable('outbox').set({ sent_at: row.at }).execute(),
      (tx) => tx.deleteFrom('outbox').execute(),
    ];
    for (const write of writes) {
      await expect(
        of().mutate(testActor, everything, async (tx) => ({ result: await write(tx), audit })),
      ).rejects.toMatchObject({ code: 'control.forbidden' });
    }
  });
}
