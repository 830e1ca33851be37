import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Clock } from '../runtime/clock.ts';
import { createControl, type KyselyControl } from './kysely-control.ts';
import type { ControlTransaction } from './port.ts';

/** A started control plane on a PGlite of its own, for engine tests. */
export async function startTestControl(
  clock?: Clock,
): Promise<{ control: KyselyControl; dir: string; end(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-control-'));
  const control = createControl({
    connection: { kind: 'pglite', dir: join(dir, 'control') },
    logger: pino({ level: 'silent' }),
    ...(clock === undefined ? {} : { clock }),
  });
  await control.start();
  return {
    control,
    dir,
    async end() {
      await control.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A valid tenant row with overrides. */
export function insertTenant(
  tx: ControlTransaction,
  id: string,
  overrides: { partner_id?: string; state?: string } = {},
): Promise<unknown> {
  return tx
    .insertInto('tenants')
    .values({
      id,
      name: id,
      tier: 'small',
      plan: 'professional',
      region: 'us-east',
      currency: 'USD',
      time_zone: 'UTC',
      partner_id: null,
      state: 'active',
      ...overrides,
    })
    .execute();
}

export const testActor = { id: 'operator', correlationId: 'test' };
