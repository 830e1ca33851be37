import { Readable } from 'node:stream';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import type { Logger } from 'pino';
import { AppError, invariant } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { blockNames, blockParts, blockStructure } from './block-parts.ts';
import { bindStatement } from './bound-statement.ts';
import type { ClickhouseServerAddress } from './clickhouse-server-address.ts';
import { parseDatabaseName } from './database-name.ts';
import { engineCode, fromEngineError } from './engine-errors.ts';
import { applyServerMigrations } from './migration-lock.ts';
import { readMigrations } from './migrations.ts';
import { encodeNativeBlock } from './native-block.ts';
import type { Block, DatabaseStore, Query, QueryOptions, Store } from './port.ts';
import { parseParams, parseRow } from './query-values.ts';
import {
  defaultTimeoutSeconds,
  identifier,
  insertTimeoutSeconds,
  quoted,
  readStatement,
  withKeys,
  writeStatement,
} from './statement-text.ts';

export interface HttpStoreOptions {
  readonly address: ClickhouseServerAddress;
  /** Certificate authority in PEM; the system's when undefined. */
  readonly certificateAuthority?: Buffer | undefined;
  readonly connections?: number;
  /** How long the start waits for a server that does not answer yet. */
  readonly startWaitSeconds?: number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Told after each insert; for metrics. */
  readonly onInsert?: (table: string, rows: number, seconds: number) => void;
}

/** What a statement takes on its way there and back, beside the engine's own time. */
const travelSeconds = 10;
/** Values stand in the statement, also long lists of series. */
const longStatement = { max_query_size: '268435456' } as const;
const insertAttempts = 4;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The store on a ClickHouse server over HTTP.
 *
 * *Shape* statements are those of the embedded adapter. What did not arrive is sent again only where that changes nothing: a read, and a block under its token.
 * *Errors* those of the port; a server that cannot be reached is `store.unavailable`.
 */
export function createHttpStore(options: HttpStoreOptions): Store {
  const { address } = options;
  const main = createConnection(options, address.database);
  const store: Store = {
    ...main.statements,
    async start() {
      await waitForServer(options, () => openDatabase(options, main, address.database, store));
      options.logger.info({ url: address.url, database: address.database }, 'store open');
    },
    stop: main.close,
    inDatabase: (name) => createDatabaseStore(options, name),
  };
  return store;
}

function createDatabaseStore(options: HttpStoreOptions, database: string): DatabaseStore {
  const name = parseDatabaseName(database);
  if (name === options.address.database) {
    throw new AppError('store.database_invalid', `database ${name} is the store's own`, {
      status: 400,
      field: 'database',
    });
  }
  const own = createConnection(options, name);
  const store: DatabaseStore = {
    ...own.statements,
    start: () => openDatabase(options, own, name, store),
    stop: own.close,
    async dropDatabase() {
      await own.close();
      await atServer(options, `DROP DATABASE IF EXISTS ${identifier(name)} SYNC`);
    },
    inDatabase: (other) => createDatabaseStore(options, other),
  };
  return store;
}

async function openDatabase(
  options: HttpStoreOptions,
  connection: ReturnType<typeof createConnection>,
  database: string,
  store: Store,
): Promise<void> {
  if (database !== 'default')
    await atServer(options, `CREATE DATABASE IF NOT EXISTS ${identifier(database)} ENGINE = Atomic`);
  await connection.open();
  try {
    const applied = await applyServerMigrations(store, readMigrations(), options.clock);
    if (applied.length > 0)
      options.logger.info({ database, applied: applied.map(({ name }) => name) }, 'schema brought up to date');
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A statement outside of any database that may not be there. */
async function atServer(options: HttpStoreOptions, sql: string): Promise<void> {
  const connection = createConnection(options, 'default');
  await connection.open();
  try {
    await connection.statements.execute(sql);
  } finally {
    await connection.close();
  }
}

/** A server that starts at the same time, or again, is waited for; a refusal is not. */
async function waitForServer(options: HttpStoreOptions, open: () => Promise<void>): Promise<void> {
  const until = performance.now() + (options.startWaitSeconds ?? 60) * 1000;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'store.unavailable') || performance.now() > until) throw error;
      options.logger.warn({ url: options.address.url }, 'the ClickHouse server does not answer yet');
      await pause(1000);
    }
  }
}

async function connect(options: HttpStoreOptions, database: string): Promise<ClickHouseClient> {
  // A process on the embedded engine does not load it.
  const { ClickHouseLogLevel, createClient } = await import('@clickhouse/client');
  const { address, certificateAuthority } = options;
  return createClient({
    url: address.url,
    username: address.user,
    password: address.password,
    database,
    application: 'dotmac-pulse',
    max_open_connections: options.connections ?? 8,
    // Each statement has a time limit of its own, see `limited`.
    request_timeout: 24 * 3600 * 1000,
    compression: { request: false, response: false },
    keep_alive: { enabled: true, idle_socket_ttl: 2000 },
    log: { level: ClickHouseLogLevel.OFF },
    ...(certificateAuthority === undefined ? {} : { tls: { ca_cert: certificateAuthority } }),
  });
}

/** Lost on the way, as when the server starts again between two statements. */
const isLost = (error: unknown) => {
  const code = (error as { code?: unknown } | null)?.code;
  return (
    typeof code === 'string' && ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED'].includes(code)
  );
};

/** Runs `work` with a signal that ends it after `seconds`. *Errors* those of the port. */
async function limited<R>(seconds: number, what: string, work: (signal: AbortSignal) => Promise<R>): Promise<R> {
  const signal = AbortSignal.timeout(seconds * 1000);
  try {
    return await work(signal);
  } catch (error) {
    throw fromServerError(error, signal, what);
  }
}

function fromServerError(error: unknown, signal: AbortSignal, what: string): AppError {
  if (error instanceof AppError) return error;
  if (signal.aborted && engineCode(error) === undefined) {
    return new AppError('store.timeout', `${what}: the server did not answer in time`, {
      status: 503,
      retryable: true,
      context: { what },
      cause: error,
    });
  }
  return fromEngineError(error, what);
}

/** The port's statements over a client that `open` makes and `close` ends. */
function createConnection(options: HttpStoreOptions, database: string) {
  let client: ClickHouseClient | undefined;
  const inHand = new Set<Promise<unknown>>();
  /** As {@link limited}, and waited for at the end. */
  async function run<R>(...call: Parameters<typeof limited<R>>): Promise<R> {
    const work = limited(...call);
    inHand.add(work);
    try {
      return await work;
    } finally {
      inHand.delete(work);
    }
  }
  const running = () => {
    if (client) return client;
    throw new AppError('store.unavailable', 'the store is not started', { status: 503, retryable: true });
  };

  async function send(
    sql: string,
    signal: AbortSignal,
    settings: ClickHouseSettings,
    body?: readonly Uint8Array[],
  ): Promise<Readable> {
    const values = body === undefined ? {} : { values: Readable.from(body, { objectMode: false }) };
    const { stream } = await running().exec({
      query: sql,
      abort_signal: signal,
      clickhouse_settings: { ...longStatement, ...settings },
      ...values,
    });
    return stream;
  }

  /** The whole answer; the server holds it back until it is known to be good. */
  const sendAndRead = async (...call: Parameters<typeof send>): Promise<string> => {
    const [sql, signal, settings, body] = call;
    const parts: Buffer[] = [];
    for await (const part of await send(sql, signal, { ...settings, wait_end_of_query: 1 }, body))
      parts.push(part as Buffer);
    return Buffer.concat(parts).toString('utf8');
  };

  const boundRead = (definition: Query<never, unknown>, params: unknown, limits: QueryOptions | undefined) => {
    const values = parseParams(definition, params as never);
    const sql = readStatement(definition.sql, limits);
    const keyed = limits?.keys === undefined ? sql : withKeys(sql, keysTable(limits.keys));
    return bindStatement(keyed, values);
  };
  const readSeconds = (limits: QueryOptions | undefined) =>
    (limits?.timeoutSeconds ?? defaultTimeoutSeconds) + travelSeconds;

  async function query<P, R>(definition: Query<P, R>, params: P, limits?: QueryOptions): Promise<R[]> {
    const sql = boundRead(definition as Query<never, unknown>, params, limits);
    const text = await run(readSeconds(limits), definition.name, async (signal) => {
      try {
        return await sendAndRead(sql, signal, {});
      } catch (error) {
        if (!isLost(error)) throw error;
        return sendAndRead(sql, signal, {});
      }
    });
    const rows: R[] = [];
    for (const line of text.split('\n')) if (line !== '') rows.push(parseRow(definition, line));
    return rows;
  }

  async function* stream<P, R>(definition: Query<P, R>, params: P, limits?: QueryOptions): AsyncIterable<R> {
    const sql = boundRead(definition as Query<never, unknown>, params, limits);
    // A slow reader may take as long as it likes: the engine's own limit is of its own time.
    const gone = new AbortController();
    try {
      const answer = await limited(readSeconds(limits), definition.name, (signal) =>
        send(sql, AbortSignal.any([signal, gone.signal]), {}),
      );
      for await (const line of rowLines(answer)) yield parseRow(definition, line);
    } catch (error) {
      throw fromServerError(error, gone.signal, definition.name);
    } finally {
      gone.abort();
    }
  }

  async function insertOnce(block: Block, token: string): Promise<void> {
    const what = `insert into ${block.table}`;
    const began = performance.now();
    const sql = `INSERT INTO ${identifier(block.table)} (${blockNames(block)}) FORMAT Native`;
    const body = encodeNativeBlock(block);
    await run(insertTimeoutSeconds + travelSeconds, what, async (signal) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await sendAndRead(sql, signal, insertSettings(token), body);
        } catch (error) {
          // Under its token a block that did arrive is dropped by the engine.
          if (!isLost(error) || attempt === insertAttempts) throw error;
          await pause(100 * 2 ** attempt);
        }
      }
    });
    options.onInsert?.(block.table, block.rows, (performance.now() - began) / 1000);
  }

  const statements: Pick<Store, 'query' | 'stream' | 'insert' | 'execute'> = {
    query,
    stream,
    async insert(block, token) {
      for (const part of blockParts(block, token)) await insertOnce(part.block, part.token);
    },
    async execute(sql, params = {}, limits) {
      const bound = bindStatement(writeStatement(sql, limits), params);
      await run((limits?.timeoutSeconds ?? insertTimeoutSeconds) + travelSeconds, 'statement', (signal) =>
        sendAndRead(bound, signal, {}),
      );
    },
  };
  return {
    statements,
    async open() {
      invariant(client === undefined, 'the store starts once');
      client = await connect(options, database);
    },
    async close() {
      const open = client;
      if (open === undefined) return;
      await Promise.allSettled(inHand);
      client = undefined;
      await open.close();
    },
  };
}

/** Keys as a table of the statement's own: bytes of a block, in the alphabet of base64. */
const keysTable = (keys: Block) =>
  `format('Native', ${quoted(blockStructure(keys))}, base64Decode('${Buffer.concat(encodeNativeBlock(keys)).toString('base64')}'))`;

/** In the request, not in the statement: the data follow it. */
const insertSettings = (token: string): ClickHouseSettings => ({
  insert_deduplication_token: token,
  insert_deduplicate: 1,
  async_insert: 0,
  optimize_on_insert: 0,
  max_insert_block_size: '1000000',
  min_insert_block_size_rows: '1000000',
  max_partitions_per_insert_block: '0',
  max_execution_time: insertTimeoutSeconds,
});

/** Lines of an answer of JSON rows. An error in the middle stands in the body as text. */
async function* rowLines(answer: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of answer) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const [at, line] of lines.entries()) {
      if (line.startsWith('{')) yield line;
      else if (line.trim() !== '') throw await statedError([...lines.slice(at), rest].join('\n'), answer);
    }
  }
  if (rest.startsWith('{')) yield rest;
  else if (rest.trim() !== '') throw await statedError(rest, answer);
}

async function statedError(start: string, answer: Readable): Promise<Error> {
  let text = start;
  for await (const chunk of answer) text += String(chunk);
  const code = /Code: (\d+)\. DB::Exception/.exec(text)?.[1];
  return Object.assign(new Error(text.slice(0, 2000)), code === undefined ? {} : { code });
}
