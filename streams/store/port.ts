import type { z } from 'zod';

/** ClickHouse types that Pulse writes in blocks. `Map(String, String)` and `Array(T)` are written as such; LowCardinality and Enum targets take String. */
export type ColumnType = string;

/** One column of a block; the vectors are typed arrays for numbers and plain arrays otherwise. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly values: ArrayLike<unknown>;
}

/** A columnar block for one table. *Shape* every column has `rows` values, in the same order. */
export interface Block {
  readonly table: string;
  readonly rows: number;
  readonly columns: readonly Column[];
}

/** A `.sql` file bound to a parameter schema and a row schema; values travel only as `{name:Type}`. */
export interface Query<P, R> {
  readonly name: string;
  readonly sql: string;
  readonly params: z.ZodType<P>;
  readonly row: z.ZodType<R>;
}

export interface QueryOptions {
  /** Bound of the engine's work for this query; default 30 s. */
  readonly timeoutSeconds?: number;
  readonly maxMemoryBytes?: number;
  /** Work that nobody waits for: one thread of the engine, below all others for the system's scheduler where the process may say so. */
  readonly isBackground?: boolean;
  /** Threads of the engine, for statements that its parallel plan makes dearer; by default it chooses. */
  readonly maxThreads?: number;
  /** Rows that the statement reads as table `keys`; the statement then has no `WITH` of its own. */
  readonly keys?: Block;
}

/**
 * The ClickHouse client port: embedded chdb or a server over HTTP. 64-bit integers and decimals come back as strings.
 *
 * *Errors* `store.unavailable` (retryable), `store.query_failed` (not retryable), `store.timeout` (retryable), `store.row_invalid` (not retryable).
 */
export interface Store {
  start(): Promise<void>;
  stop(): Promise<void>;
  query<P, R>(query: Query<P, R>, params: P, options?: QueryOptions): Promise<R[]>;
  /** Rows in bounded memory, for exports and long answers. */
  stream<P, R>(query: Query<P, R>, params: P, options?: QueryOptions): AsyncIterable<R>;
  /** Writes a block once: a repeated token on the same table is dropped by the engine. */
  insert(block: Block, token: string): Promise<void>;
  /** Runs `INSERT … SELECT` of a job or a migration statement; values as parameters. */
  execute(sql: string, params?: Readonly<Record<string, unknown>>, options?: QueryOptions): Promise<void>;
  /**
   * The same engine with statements that run in another database. Its `start` makes the database and applies the migrations there; `stop` leaves the data.
   *
   * *Shape* unqualified tables are those of that database; functions that SQL defines are the engine's, shared by all databases. It ends before this store does.
   * *Errors* `store.database_invalid` for a name that is not `[a-z][a-z0-9_]{0,40}` or is one of the engine's own.
   */
  inDatabase(name: string): DatabaseStore;
}

/** A store in a database of its own, see {@link Store.inDatabase}. */
export interface DatabaseStore extends Store {
  /** Stops it and removes the database with everything in it; also one that was left behind and not started here. Does nothing when there is none. */
  dropDatabase(): Promise<void>;
}
