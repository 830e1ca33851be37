import { randomUUID } from 'node:crypto';
import { type ConnectionPool, createConnectionPool } from '../connection-pool.ts';
import type { EngineSession, EngineSessions } from '../engine-sessions.ts';
import { literal } from './text-parameters.ts';

/** A statement with everything that it runs under. */
export interface Statement {
  readonly sql: string;
  readonly format: string;
  readonly database: string;
  /** Settings of the session before the statement; names are checked, values are quoted here. */
  readonly settings: ReadonlyMap<string, string>;
  /** The answer is sent while it is made; only for a reading statement in a piecewise format. */
  readonly streams: boolean;
}

/** An answer: how many rows are known of it before it is read (null: of a stream nothing is), and its bytes. */
export interface Answer {
  readonly rows: number | null;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface StatementRunner {
  /** Runs `use` with a session of its own, which ends with it; waits while as many as may run are running. Answers that take as long as their reader (`streams`) leave places to others. */
  withSession<R>(use: (session: EngineSession) => Promise<R>, signal: AbortSignal, streams?: boolean): Promise<R>;
  /** Runs one statement in the session; its first bytes, or its error, are there when this resolves. An abort stops it inside the engine. */
  run(session: EngineSession, statement: Statement, signal: AbortSignal): Promise<Answer>;
}

const name = (database: string) => `\`${database.replaceAll(/[\\`]/g, '')}\``;

/** Runs statements on sessions of their own, so many at once; a session's settings never reach another request. */
export function createStatementRunner(sessions: EngineSessions, mostAtOnce: number): StatementRunner {
  const places = (count: number): ConnectionPool<number> =>
    createConnectionPool(Array.from({ length: count }, (_, index) => index));
  const slots = places(mostAtOnce);
  const longSlots = places(Math.max(1, mostAtOnce - 2));

  async function kill(comment: string): Promise<void> {
    const session = sessions.open();
    try {
      await session.run(`KILL QUERY WHERE Settings['log_comment'] = ${literal(comment)} ASYNC`);
    } finally {
      session.close();
    }
  }

  return {
    async withSession(use, signal, streams = false) {
      const long = streams ? await longSlots.take() : undefined;
      const slot = await slots.take();
      try {
        signal.throwIfAborted();
        const session = sessions.open();
        try {
          return await use(session);
        } finally {
          session.close();
        }
      } finally {
        slots.give(slot);
        if (long !== undefined) longSlots.give(long);
      }
    },
    async run(session, statement, signal) {
      const comment = randomUUID();
      const settings = [...statement.settings, ['log_comment', comment] as const];
      // `readonly` closes the door behind itself: nothing can be set after it.
      const ordered = settings.toSorted(([a], [b]) => Number(a === 'readonly') - Number(b === 'readonly'));
      const set = ordered.map(([key, value]) => `${key} = ${literal(value)}`).join(', ');
      await session.run(`USE ${name(statement.database)}; SET ${set}`);
      const stop = () => void kill(comment).catch(() => {});
      signal.addEventListener('abort', stop, { once: true });
      const done = () => signal.removeEventListener('abort', stop);
      try {
        signal.throwIfAborted();
        if (!statement.streams) {
          const { bytes, rows } = await session.run(statement.sql, statement.format);
          done();
          return { rows, bytes: one(bytes) };
        }
        const pieces = session.stream(statement.sql, statement.format)[Symbol.asyncIterator]();
        const first = await pieces.next();
        return { rows: null, bytes: rest(first, pieces, done) };
      } catch (error) {
        done();
        throw error;
      }
    },
  };
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* rest(
  first: IteratorResult<Uint8Array>,
  pieces: AsyncIterator<Uint8Array>,
  done: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await pieces.next()) yield next.value;
  } finally {
    done();
    await pieces.return?.();
  }
}

/** Is the error that of a caller who went away. */
export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
