import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Session } from 'chdb';
import type { EngineSession } from './engine-sessions.ts';

/** One connection: the client for statements and, made on first use, a session for streams (the client's connection materialises every answer). */
export interface EngineConnection {
  readonly client: ClickHouseClient;
  session(): Session;
  close(): Promise<void>;
}

export interface ChdbEngine {
  /** Opens connections whose statements run in `database`. *Shape* whoever opens them closes them before the engine. */
  connect(count: number, database: string): Promise<EngineConnection[]>;
  /** A connection for statements of others. */
  openSession(): EngineSession;
  close(): Promise<void>;
}

/** The database that is there from the start. */
export const defaultDatabase = 'default';

/**
 * Pools of an engine that shares two cores with everything else. Four merge threads throttle inserts instead of letting parts grow, and step back behind whoever waits for an answer;
 * the schedule pool's default of hundreds of threads costs memory for nothing in one process. Damaged parts, however many, never keep the engine from starting: the log brings back what they held.
 */
const serverConfig = (mergeTree: string) => `<clickhouse>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <os_threads_nice_value_merge_mutate>5</os_threads_nice_value_merge_mutate>
  <index_mark_cache_size>67108864</index_mark_cache_size>
  <merge_tree>
    <max_suspicious_broken_parts>1000000</max_suspicious_broken_parts>
    <max_suspicious_broken_parts_bytes>1000000000000000</max_suspicious_broken_parts_bytes>${mergeTree}
  </merge_tree>
</clickhouse>
`;

/** An insert's files and their folder are on disk before the insert is acknowledged. Merged parts follow with the system's own writing: what they were made of stays for eight minutes. */
const syncedInserts = `
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>`;

/**
 * Values stand in the statement (see bound-statement.ts), also long lists of series; the engine's default of 256 KiB would refuse those. For the same reason its compiler meets few expressions again,
 * and takes a tenth of a second and more for one that it does: without it short statements take less and long ones the same.
 */
const connectionSettings =
  'SET max_query_size = 268435456, compile_expressions = 0, compile_aggregate_expressions = 0, compile_sort_description = 0';

/**
 * Opens the embedded engine on `dir` with its memory capped for the whole process.
 *
 * *Shape* the first session carries the caps and stays open: settings given to later connections do not reach the server part.
 */
export async function openChdbEngine(options: {
  dir: string;
  memoryBytes: number;
  syncInserts: boolean;
}): Promise<ChdbEngine> {
  const data = join(options.dir, 'engine');
  await mkdir(data, { recursive: true });
  const config = join(options.dir, 'engine.xml');
  await writeFile(config, serverConfig(options.syncInserts ? syncedInserts : ''));
  // The engine's library costs 150 MB of address space to load: a process that only imports this folder does not pay for it.
  const [{ Session, drainPending }, { createChdbConnection }, { createClient }] = await Promise.all([
    import('chdb'),
    import('chdb/connection'),
    import('@clickhouse/client'),
  ]);
  const root = new Session(data, {
    connectionArgs: [
      `--max_server_memory_usage=${options.memoryBytes}`,
      '--mark_cache_size=67108864',
      '--primary_index_cache_size=67108864',
      `--config-file=${config}`,
    ],
  });
  const connect = (database: string): EngineConnection => {
    const connection = createChdbConnection({ path: data });
    // The client's public options do not name the injected connection yet.
    const client = createClient({ connection } as unknown as Parameters<typeof createClient>[0]);
    let session: Session | undefined;
    return {
      client,
      session() {
        if (session !== undefined) return session;
        session = new Session(data);
        session.query(connectionSettings);
        session.query(`USE \`${database}\``);
        return session;
      },
      async close() {
        session?.close();
        await client.close();
      },
    };
  };
  return {
    async connect(count, database) {
      const connections = Array.from({ length: count }, () => connect(database));
      for (const { client } of connections) {
        await client.command({ query: connectionSettings });
        await client.command({ query: `USE \`${database}\`` });
      }
      return connections;
    },
    openSession() {
      const session = new Session(data);
      return {
        async run(sql, format = 'TabSeparated') {
          const result = await session.queryAsync(sql, { format });
          return { bytes: result.bytes(), rows: result.rowsRead };
        },
        async *stream(sql, format) {
          for await (const chunk of session.queryStream(sql, { format })) yield chunk.raw();
        },
        close: () => session.close(),
      };
    },
    async close() {
      root.close();
      await drainPending();
    },
  };
}

/** An empty folder for blocks on their way into the engine; what a killed process left behind goes. */
export async function emptyBlockFolder(dir: string): Promise<string> {
  const folder = join(dir, 'blocks');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}
