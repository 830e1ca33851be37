/** One connection of the embedded engine, for one request: its settings and its current database go with it. One statement at a time. */
export interface EngineSession {
  /** Runs statements and answers the last one's bytes. *Errors* the engine's own, with its code. */
  run(sql: string, format?: string): Promise<{ readonly bytes: Uint8Array; readonly rows: number }>;
  /** Runs one statement and answers its rows in pieces, each written in the format by itself: for formats without head and tail. */
  stream(sql: string, format: string): AsyncIterable<Uint8Array>;
  close(): void;
}

/** Connections of the embedded engine for whoever serves its SQL. */
export interface EngineSessions {
  /** *Errors* `store.unavailable` while the store is not open. */
  open(): EngineSession;
  /** A path in the folder of blocks, which is emptied at each start. */
  blockFile(): string;
  /** Called before the start: every insert is on disk before it is acknowledged, as from a server that keeps the only copy. */
  demandSyncedInserts(): void;
}
