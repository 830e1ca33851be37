import { join } from 'node:path';
import { drainPending, Session } from 'chdb';
import { pino } from 'pino';
import { type ControlTransaction, createControl } from 'streams/control';
import { systemClock } from 'streams/runtime';
import { createChdbStore, type Store } from 'streams/store';

const logger = pino({ level: 'silent' });

/** Opens the time-series store of a stopped server, as its owner could, and closes it again. */
export async function inStore<T>(dataDir: string, run: (store: Store) => Promise<T>): Promise<T> {
  const store = createChdbStore({ dir: join(dataDir, 'store'), logger, clock: systemClock });
  await store.start();
  try {
    return await run(store);
  } finally {
    await store.stop();
  }
}

/** Changes the control plane of a stopped server through the audited path. */
export async function inControl(dataDir: string, run: (tx: ControlTransaction) => Promise<unknown>): Promise<void> {
  const control = createControl({ connection: { kind: 'pglite', dir: join(dataDir, 'control') }, logger });
  await control.start();
  try {
    await control.mutate({ id: 'test', correlationId: 'test' }, { kind: 'global' }, async (tx) => {
      await run(tx);
      return { result: null, audit: { action: 'test.change', resource: 'test', tenantId: null } };
    });
  } finally {
    await control.stop();
  }
}

/** Runs statements on the engine of a stopped server past the store, which checks versions and translates. */
export async function inEngine(dataDir: string, statements: readonly string[]): Promise<void> {
  const session = new Session(join(dataDir, 'store', 'engine'));
  try {
    for (const statement of statements) session.query(statement);
  } finally {
    session.close();
    await drainPending();
  }
}

/** Engine numbers of the tenants of a stopped server by id. */
export async function tenantNumbers(dataDir: string): Promise<ReadonlyMap<string, number>> {
  const numbers = new Map<string, number>();
  await inControl(dataDir, async (tx) => {
    const rows = await tx.selectFrom('tenants').select(['id', 'number']).execute();
    for (const { id, number } of rows) numbers.set(id, Number(number));
  });
  return numbers;
}
