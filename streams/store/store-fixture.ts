import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { z } from 'zod';
import { createChdbStore } from './chdb-store.ts';
import { noParams } from './define-query.ts';
import type { Query, Store } from './port.ts';
import { copyEmptyStore } from './test-store.ts';

/** A started store of a test, on a directory of its own; `reopen` is a restart on the same data. */
export interface StoreFixture {
  readonly dir: string;
  readonly store: Store;
  reopen(): Promise<Store>;
  close(): Promise<void>;
}

export const silentLogger = pino({ level: 'silent' });
export const fixedClock = (now: number) => ({ now: () => now });

/** Opens a store in a new temporary directory. */
export async function openStoreFixture(): Promise<StoreFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'pulse-store-'));
  await copyEmptyStore(dir);
  const make = () =>
    createChdbStore({
      dir,
      memoryBytes: 600e6,
      connections: 3,
      logger: silentLogger,
      clock: fixedClock(1_790_000_000_000),
    });
  const fixture = {
    dir,
    store: make(),
    async reopen() {
      await fixture.store.stop();
      fixture.store = make();
      await fixture.store.start();
      return fixture.store;
    },
    async close() {
      await fixture.store.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await fixture.store.start();
  return fixture;
}

/** A statement of a test without parameters; rows as the engine gives them. */
export const adHoc = (sql: string): Query<Record<string, never>, Record<string, unknown>> => ({
  name: 'ad-hoc',
  sql,
  params: noParams as never,
  row: z.record(z.string(), z.unknown()),
});

/** Rows of a test's statement. */
export const rowsOf = (store: Store, sql: string) => store.query(adHoc(sql), {});
