import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Clock } from '../runtime/clock.ts';
import { createControl, type KyselyControl } from './kysely-control.ts';
import type { ControlTransaction } from './port.ts';
import { copyEmptyControl } from './test-cluster.ts';

/** A started control plane; `dir` is a directory of its own, `end` stops it and removes that. */
export interface TestControl {
  readonly control: KyselyControl;
  readonly dir: string;
  end(): Promise<void>;
}

/** A started control plane on a PGlite of its own, or on a database of a server, for tests. */
export async function startTestControl(clock?: Clock, postgresUrl?: string): Promise<TestControl> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-control-'));
  if (postgresUrl === undefined) await copyEmptyControl(join(dir, 'control'));
  const control = createControl({
    connection:
      postgresUrl === undefined
        ? { kind: 'pglite', dir: join(dir, 'control') }
        : { kind: 'postgres', url: postgresUrl },
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
