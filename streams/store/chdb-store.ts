import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { AppError, invariant } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { bindStatement } from './bound-statement.ts';
import { type ChdbEngine, type EngineConnection, emptyBlockFolder, openChdbEngine } from './chdb-engine.ts';
import { type ConnectionPool, createConnectionPool } from './connection-pool.ts';
import { fromEngineError } from './engine-errors.ts';
import { applyMigrations, readMigrations } from './migrations.ts';
import { encodeNativeBlock } from './native-block.ts';
import type { Block, Query, QueryOptions, Store } from './port.ts';

const defaultTimeoutSeconds = 30;
const defaultQueryMemoryBytes = 320 * 1024 * 1024;
/** Rows of a block while reading: FINAL holds a block of every column of every part, and 100 day partitions at the default size need more than the engine may use. */
const readBlockRows = 8192;
/** Memory that must be free for each thread of a read. The engine's default of 1 GiB is more than this process may use, and would leave every read a single thread. */
const threadBytes = 32 * 1024 * 1024;
/** An insert of the largest block; past it something is wrong with the disk. */
const insertTimeoutSeconds = 120;
/** Rows of one engine block; a larger block is split here so that each part has its own token and order. */
const blockRowsMax = 500_000;

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

/** Constant settings of every read. They stand in the statement because client settings stick to the connection. */
function readSettings(options: QueryOptions | undefined): string {
  return [
    'output_format_json_quote_64bit_integers=1',
    'output_format_json_quote_decimals=1',
    `max_threads_min_free_memory_per_thread=${threadBytes}`,
    'do_not_merge_across_partitions_select_final=1',
    `max_block_size=${readBlockRows}`,
    `max_execution_time=${options?.timeoutSeconds ?? defaultTimeoutSeconds}`,
    `max_memory_usage=${options?.maxMemoryBytes ?? defaultQueryMemoryBytes}`,
    ...(options?.isBackground === true ? backgroundSettings : []),
  ].join(', ');
}

/** The nice value needs CAP_SYS_NICE; without it the engine leaves it. */
const backgroundSettings = ['max_threads=1', 'max_insert_threads=1', 'os_threads_nice_value_query=10'];

const withoutTrailer = (sql: string) => sql.replace(/[;\s]+$/, '');
const readStatement = (sql: string, options: QueryOptions | undefined) =>
  `${withoutTrailer(sql)}\nFORMAT JSONEachRow SETTINGS ${readSettings(options)}`;

/** Settings of `INSERT … SELECT` given to `execute`; other statements have no place for settings. */
function writeStatement(sql: string, options: QueryOptions | undefined): string {
  const statement = withoutTrailer(sql);
  if (!/^(?:\s|--[^\n]*\n)*INSERT\s/i.test(statement)) return statement;
  const settings = [
    'optimize_on_insert=0',
    'max_partitions_per_insert_block=0',
    'do_not_merge_across_partitions_select_final=1',
    `max_block_size=${readBlockRows}`,
    `max_execution_time=${options?.timeoutSeconds ?? insertTimeoutSeconds}`,
    `max_memory_usage=${options?.maxMemoryBytes ?? defaultQueryMemoryBytes}`,
    ...(options?.isBackground === true ? backgroundSettings : []),
  ];
  return `${statement}\nSETTINGS ${settings.join(', ')}`;
}

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const identifier = (name: string) => `\`${name.replaceAll('`', '')}\``;

/** A block's file as a table. The structure is always given: without it columns are matched by the target's names and missing ones silently zeroed. */
function fileTable(file: string, block: Block): string {
  const structure = block.columns.map((column) => `${identifier(column.name)} ${column.type}`).join(', ');
  return `file(${quoted(file)}, 'Native', ${quoted(structure)})`;
}

/** Rows `from`…`to` of a block as a block of its own. */
function slice(block: Block, from: number, to: number): Block {
  const columns = block.columns.map((column) => {
    const values = column.values as { subarray?(from: number, to: number): ArrayLike<unknown> };
    const part = values.subarray
      ? values.subarray(from, to)
      : (Array.prototype.slice.call(column.values, from, to) as unknown[]);
    return { ...column, values: part };
  });
  return { table: block.table, rows: to - from, columns };
}

function parseRow<R>(query: { name: string; row: z.ZodType<R> }, line: string): R {
  const parsed = query.row.safeParse(JSON.parse(line));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new AppError('store.row_invalid', `${query.name}: column ${field}: ${issue?.message ?? 'unexpected row'}`, {
    field,
    context: { query: query.name },
  });
}

function parseParams<P>(query: { name: string; params: z.ZodType<P> }, params: P): Record<string, unknown> {
  const parsed = query.params.safeParse(params);
  if (parsed.success) return parsed.data as Record<string, unknown>;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new AppError('store.params_invalid', `${query.name}: parameter ${field}: ${issue?.message ?? 'invalid'}`, {
    field,
    context: { query: query.name },
  });
}

/**
 * The store on the embedded ClickHouse engine, through the same client as for a server.
 *
 * *Shape* `start` opens the engine and applies the migrations; `stop` waits for running statements.
 * *Errors* those of the port, and from `start` `store.newer_version` and `store.migration_changed`; nothing is deleted then.
 */
export function createChdbStore(options: ChdbStoreOptions): Store {
  let engine: ChdbEngine | undefined;
  let pool: ConnectionPool<EngineConnection> | undefined;
  let streams: ConnectionPool<number> | undefined;
  let blockFolder = '';
  let sequence = 0;

  const running = () => {
    if (pool) return pool;
    throw new AppError('store.unavailable', 'the store is not started', { status: 503, retryable: true });
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
    let file: string | undefined;
    try {
      file = await writeBlock(keys);
      return await runText(`WITH keys AS (SELECT * FROM ${fileTable(file, keys)})\n${sql}`, params, what);
    } catch (error) {
      throw fromEngineError(error, what);
    } finally {
      if (file !== undefined) await rm(file, { force: true });
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
    const connections = running();
    const slot = await slots.take();
    try {
      const connection = await connections.take();
      try {
        const sql = bindStatement(readStatement(definition.sql, limits), values);
        const chunks = connection.session().queryStream(sql, { format: 'JSONEachRow' });
        for await (const chunk of chunks) {
          for (const line of chunk.text().split('\n')) if (line !== '') yield parseRow(definition, line);
        }
      } catch (error) {
        throw fromEngineError(error, definition.name);
      } finally {
        connections.give(connection);
      }
    } finally {
      slots.give(slot);
    }
  }

  async function writeBlock(block: Block): Promise<string> {
    const file = join(blockFolder, `${++sequence}.native`);
    const handle = await open(file, 'w');
    try {
      const chunks = encodeNativeBlock(block);
      // writev takes at most 1,024 vectors a call.
      for (let at = 0; at < chunks.length; at += 1000) await handle.writev(chunks.slice(at, at + 1000));
    } finally {
      await handle.close();
    }
    return file;
  }

  async function insertOnce(block: Block, token: string): Promise<void> {
    const what = `insert into ${block.table}`;
    const began = performance.now();
    let file: string | undefined;
    try {
      file = await writeBlock(block);
      const names = block.columns.map((column) => identifier(column.name)).join(', ');
      const sql = `INSERT INTO ${identifier(block.table)} (${names}) SELECT ${names} FROM ${fileTable(file, block)}
SETTINGS insert_deduplication_token=${quoted(token)}, deduplicate_insert_select='force_enable', optimize_on_insert=0, max_insert_block_size=1000000,
 max_block_size=1000000, max_partitions_per_insert_block=0, max_threads=1, max_insert_threads=1, max_execution_time=${insertTimeoutSeconds}`;
      await running().with(({ client }) => client.command({ query: sql }));
    } catch (error) {
      throw fromEngineError(error, what);
    } finally {
      if (file !== undefined) await rm(file, { force: true });
    }
    options.onInsert?.(block.table, block.rows, (performance.now() - began) / 1000);
  }

  return {
    async start() {
      invariant(engine === undefined, 'the store starts once');
      blockFolder = await emptyBlockFolder(options.dir);
      const opened = await openChdbEngine({
        dir: options.dir,
        memoryBytes: options.memoryBytes ?? 700 * 1024 * 1024,
        connections: options.connections ?? 4,
      });
      engine = opened;
      pool = createConnectionPool(opened.connections);
      streams = createConnectionPool(opened.connections.slice(1).map((_, index) => index));
      try {
        const applied = await applyMigrations(this, readMigrations(), options.clock);
        options.logger.info({ applied: applied.map((migration) => migration.name) }, 'store open');
      } catch (error) {
        await this.stop();
        throw error;
      }
    },
    async stop() {
      await pool?.close();
      pool = undefined;
      await engine?.close();
      engine = undefined;
    },
    query,
    stream,
    async insert(block, token) {
      if (block.rows === 0) return;
      if (block.rows <= blockRowsMax) return insertOnce(block, token);
      for (let from = 0, part = 0; from < block.rows; from += blockRowsMax, part++) {
        await insertOnce(slice(block, from, Math.min(block.rows, from + blockRowsMax)), `${token}.${part}`);
      }
    },
    async execute(sql, params = {}, limits) {
      await runText(writeStatement(sql, limits), { ...params }, 'statement');
    },
  };
}
