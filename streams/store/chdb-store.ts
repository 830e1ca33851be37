import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { AppError, invariant } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { blockNames, blockParts, blockStructure } from './block-parts.ts';
import { bindStatement } from './bound-statement.ts';
import {
  type ChdbEngine,
  defaultDatabase,
  type EngineConnection,
  emptyBlockFolder,
  openChdbEngine,
} from './chdb-engine.ts';
import { type ConnectionPool, createConnectionPool } from './connection-pool.ts';
import { parseDatabaseName } from './database-name.ts';
import { fromEngineError } from './engine-errors.ts';
import type { EngineSessions } from './engine-sessions.ts';
import { applyMigrations, readMigrations } from './migrations.ts';
import { encodeNativeBlock } from './native-block.ts';
import type { Block, DatabaseStore, Query, QueryOptions, Store } from './port.ts';
import { parseParams, parseRow } from './query-values.ts';
import { blockSettings, identifier, quoted, readStatement, withKeys, writeStatement } from './statement-text.ts';

/** Connections of a database beside the main one: what rebuilds tables there reads and writes at once. */
const databaseConnections = 2;

export interface ChdbStoreOptions {
  /** Everything of the store lies under it; one process at a time. */
  readonly dir: string;
  /** Cap of the engine's memory, caches included. */
  readonly memoryBytes?: number;
  readonly connections?: number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Told after each insert; for metrics. */
  readonly onInsert?: (table: string, rows: number, seconds: number) => void;
}

/** The store together with the engine itself, for whoever serves its SQL. */
export interface ChdbStore extends Store {
  readonly sessions: EngineSessions;
}

/** The engine of this process and where blocks lie on their way into it; shared by the stores of all databases. */
interface SharedEngine {
  engine(): ChdbEngine;
  /** A path for the next block. */
  nextFile(): string;
}

const notStarted = () =>
  new AppError('store.unavailable', 'the store is not started', { status: 503, retryable: true });

/** A block's file as a table. The structure is always given: without it columns are matched by the target's names and missing ones silently zeroed. */
const fileTable = (file: string, block: Block) => `file(${quoted(file)}, 'Native', ${quoted(blockStructure(block))})`;

async function writeBlock(file: string, block: Block): Promise<void> {
  const handle = await open(file, 'w');
  try {
    const chunks = encodeNativeBlock(block);
    // writev takes at most 1,024 vectors a call.
    for (let at = 0; at < chunks.length; at += 1000) await handle.writev(chunks.slice(at, at + 1000));
  } finally {
    await handle.close();
  }
}

/**
 * The store on the embedded ClickHouse engine, through the same client as for a server.
 *
 * *Shape* `start` opens the engine and applies the migrations; `stop` waits for running statements.
 * *Errors* those of the port, and from `start` `store.newer_version` and `store.migration_changed`; nothing is deleted then.
 */
export function createChdbStore(options: ChdbStoreOptions): ChdbStore {
  let engine: ChdbEngine | undefined;
  let syncInserts = false;
  let blockFolder = '';
  let sequence = 0;
  const shared: SharedEngine = {
    engine() {
      if (engine) return engine;
      throw notStarted();
    },
    nextFile: () => join(blockFolder, `${++sequence}.native`),
  };
  const main = createStatements(options, shared);

  async function stop(): Promise<void> {
    await main.close();
    await engine?.close();
    engine = undefined;
  }
  const store: ChdbStore = {
    ...main.statements,
    async start() {
      invariant(engine === undefined, 'the store starts once');
      blockFolder = await emptyBlockFolder(options.dir);
      engine = await openChdbEngine({
        dir: options.dir,
        memoryBytes: options.memoryBytes ?? 700 * 1024 * 1024,
        syncInserts,
      });
      try {
        await main.open(options.connections ?? 4, defaultDatabase);
        const applied = await applyMigrations(store, readMigrations(), options.clock);
        options.logger.info({ applied: applied.map((migration) => migration.name) }, 'store open');
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
    inDatabase: (name) => createDatabaseStore(options, shared, store, name),
    sessions: {
      open: () => shared.engine().openSession(),
      blockFile: shared.nextFile,
      demandSyncedInserts() {
        invariant(engine === undefined, 'how inserts are synced is said before the store starts');
        syncInserts = true;
      },
    },
  };
  return store;
}

/** A database beside the main one, on connections of its own. */
function createDatabaseStore(
  options: ChdbStoreOptions,
  shared: SharedEngine,
  main: Store,
  database: string,
): DatabaseStore {
  const name = parseDatabaseName(database);
  const own = createStatements(options, shared);
  const store: DatabaseStore = {
    ...own.statements,
    async start() {
      await main.execute(`CREATE DATABASE IF NOT EXISTS ${identifier(name)} ENGINE = Atomic`);
      try {
        await own.open(databaseConnections, name);
        await applyMigrations(store, readMigrations(), options.clock);
      } catch (error) {
        await own.close();
        throw error;
      }
    },
    stop: own.close,
    async dropDatabase() {
      await own.close();
      await main.execute(`DROP DATABASE IF EXISTS ${identifier(name)} SYNC`);
    },
    inDatabase: (other) => main.inDatabase(other),
  };
  return store;
}

type Statements = Pick<Store, 'query' | 'stream' | 'insert' | 'execute'>;

/** The port's statements over connections that `open` makes and `close` gives back. */
function createStatements(options: ChdbStoreOptions, shared: SharedEngine) {
  let connections: EngineConnection[] = [];
  let pool: ConnectionPool<EngineConnection> | undefined;
  let streams: ConnectionPool<number> | undefined;

  const running = () => {
    if (pool) return pool;
    throw notStarted();
  };

  async function runText(sql: string, params: Record<string, unknown>, what: string): Promise<string> {
    try {
      return await running().with(async ({ client }) => {
        const result = await client.exec({ query: bindStatement(sql, params) });
        const parts: Buffer[] = [];
        for await (const part of result.stream) parts.push(part as Buffer);
        return Buffer.concat(parts).toString('utf8');
      });
    } catch (error) {
      throw fromEngineError(error, what);
    }
  }

  async function readText(sql: string, params: Record<string, unknown>, what: string, keys: Block | undefined) {
    if (keys === undefined) return runText(sql, params, what);
    const file = shared.nextFile();
    try {
      await writeBlock(file, keys);
      return await runText(withKeys(sql, fileTable(file, keys)), params, what);
    } catch (error) {
      throw fromEngineError(error, what);
    } finally {
      await rm(file, { force: true });
    }
  }

  async function query<P, R>(definition: Query<P, R>, params: P, limits?: QueryOptions): Promise<R[]> {
    const values = parseParams(definition, params);
    const sql = readStatement(definition.sql, limits);
    const text = await readText(sql, values, definition.name, limits?.keys);
    const rows: R[] = [];
    for (const line of text.split('\n')) if (line !== '') rows.push(parseRow(definition, line));
    return rows;
  }

  async function* stream<P, R>(definition: Query<P, R>, params: P, limits?: QueryOptions): AsyncIterable<R> {
    const values = parseParams(definition, params);
    // A slow reader holds its connection: at least one is left for everybody else.
    const slots = streams ?? createConnectionPool<number>([]);
    const free = running();
    const slot = await slots.take();
    try {
      const connection = await free.take();
      try {
        const sql = bindStatement(readStatement(definition.sql, limits), values);
        const chunks = connection.session().queryStream(sql, { format: 'JSONEachRow' });
        for await (const chunk of chunks) {
          for (const line of chunk.text().split('\n')) if (line !== '') yield parseRow(definition, line);
        }
      } catch (error) {
        throw fromEngineError(error, definition.name);
      } finally {
        free.give(connection);
      }
    } finally {
      slots.give(slot);
    }
  }

  async function insertOnce(block: Block, token: string): Promise<void> {
    const began = performance.now();
    const file = shared.nextFile();
    try {
      await writeBlock(file, block);
      const names = blockNames(block);
      const sql = `INSERT INTO ${identifier(block.table)} (${names}) SELECT ${names} FROM ${fileTable(file, block)}
SETTINGS ${blockSettings(token)}, deduplicate_insert_select='force_enable', max_block_size=1000000, max_threads=1`;
      await running().with(({ client }) => client.command({ query: sql }));
    } catch (error) {
      throw fromEngineError(error, `insert into ${block.table}`);
    } finally {
      await rm(file, { force: true });
    }
    options.onInsert?.(block.table, block.rows, (performance.now() - began) / 1000);
  }

  const statements: Statements = {
    query,
    stream,
    async insert(block, token) {
      for (const part of blockParts(block, token)) await insertOnce(part.block, part.token);
    },
    async execute(sql, params = {}, limits) {
      await runText(writeStatement(sql, limits), { ...params }, 'statement');
    },
  };
  return {
    statements,
    async open(count: number, database: string) {
      invariant(pool === undefined, 'the store starts once');
      connections = await shared.engine().connect(count, database);
      pool = createConnectionPool(connections);
      streams = createConnectionPool(connections.slice(1).map((_, index) => index));
    },
    async close() {
      const open = pool;
      pool = undefined;
      await open?.close();
      for (const connection of connections.splice(0)) await connection.close();
    },
  };
}
