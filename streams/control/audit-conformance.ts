import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../runtime/clock.ts';
import { verifyAudit } from './audit.ts';
import type { KyselyControl } from './kysely-control.ts';
import type { ControlTransaction } from './port.ts';
import { type TestControl, testActor } from './test-control.ts';

/** What the audit chain shows and what it cannot, on every backend; `start` opens an empty one. */
export function auditConformance(start: (clock: Clock) => Promise<TestControl>): void {
  let control: KyselyControl;
  let end: () => Promise<void>;

  beforeEach(async () => {
    ({ control, end } = await start({ now: () => Date.parse('2026-11-21T10:00:00.000Z') }));
  });
  afterEach(() => end());

  const record = (name: string) =>
    control.mutate(testActor, { kind: 'global' }, async () => ({
      result: name,
      audit: {
        action: 'test.write',
        resource: name,
        tenantId: null,
        after: { name, nested: { b: 1.5, a: [true, null, 'ü'] } },
      },
    }));

  /** What an owner of the database could do: past the grants and the trigger. The change itself is audited too, as record 6. */
  const tamper = (run: (tx: ControlTransaction) => Promise<unknown>) =>
    control.mutate(testActor, { kind: 'global' }, async (tx) => {
      await sql`RESET ROLE`.execute(tx);
      await sql`ALTER TABLE audit_log DISABLE TRIGGER append_only`.execute(tx);
      await run(tx);
      await sql`ALTER TABLE audit_log ENABLE TRIGGER append_only`.execute(tx);
      return { result: null, audit: { action: 'test.tamper', resource: 'audit', tenantId: null } };
    });

  async function recordFive(): Promise<void> {
    for (const name of ['one', 'two', 'three', 'four', 'five']) await record(name);
  }

  test('an untouched chain verifies, the empty one too', async () => {
    expect(await verifyAudit(control)).toMatchObject({ records: 0, ok: true, firstBroken: null });
    await recordFive();
    expect(await verifyAudit(control)).toMatchObject({ records: 5, ok: true, firstBroken: null });
  });

  test('concurrent mutations make one gapless chain', async () => {
    await Promise.all(Array.from({ length: 25 }, (_, index) => record(`r${index}`)));
    expect(await verifyAudit(control)).toMatchObject({ records: 25, ok: true });
  });

  test.each([
    ['detail', sql`UPDATE audit_log SET detail = '{"after":{"name":"forged"}}' WHERE seq = 3`],
    ['actor', sql`UPDATE audit_log SET actor = 'somebody' WHERE seq = 3`],
    ['time', sql`UPDATE audit_log SET at = at + interval '1 millisecond' WHERE seq = 3`],
    ['tenant', sql`UPDATE audit_log SET tenant_id = 'alpha' WHERE seq = 3`],
    ['presence', sql`DELETE FROM audit_log WHERE seq = 3`],
  ])('a change of the %s of one record breaks the chain at that record', async (_what, statement) => {
    await recordFive();
    await tamper((tx) => statement.execute(tx));
    expect(await verifyAudit(control)).toMatchObject({ records: 6, ok: false, firstBroken: 3 });
  });

  test('a cut-off tail is found, because the head counts it', async () => {
    await recordFive();
    await tamper((tx) => sql`DELETE FROM audit_log WHERE seq >= 4`.execute(tx));
    expect(await verifyAudit(control)).toMatchObject({ ok: false, firstBroken: 4 });
  });

  test('a tail and head rewritten together pass the check: only a head hash noted elsewhere shows it', async () => {
    await recordFive();
    const noted = (await verifyAudit(control)).headHash;
    await tamper(async (tx) => {
      await sql`DELETE FROM audit_log WHERE seq >= 4`.execute(tx);
      await sql`UPDATE audit_head SET records = 3, hash = (SELECT hash FROM audit_log WHERE seq = 3)`.execute(tx);
    });
    const after = await verifyAudit(control);
    expect(after.ok).toBe(true);
    expect(after.headHash).not.toBe(noted);
  });
}
