import { AppError } from 'streams/contract';
import type { Query, QueryOptions, Store } from 'streams/store';

/** How much of the engine reads may take. *Source* the store's pool of four connections: one is always left to writing and to other parts. */
export const gateLimits = {
  running: 3,
  perTenant: 2,
  streams: 2,
  streamsPerTenant: 1,
  waitingPerTenant: 32,
  waitMs: 10_000,
} as const;

type Kind = 'query' | 'stream';

interface Waiting {
  readonly kind: Kind;
  admit(): void;
}

interface Holder {
  queries: number;
  streams: number;
  readonly waiting: Waiting[];
}

/**
 * Lets a bounded number of reads into the engine: so many in all, so many a tenant, whose others wait in its own line; the tenant with the fewest running goes first.
 *
 * *Errors* `telemetry.too_many_queries` (429, retryable): the tenant's line is full, or its turn did not come in time.
 */
export interface QueryGate {
  /** Waits for a place; the answer gives it back and may be called again. */
  enter(tenant: number, kind: Kind): Promise<() => void>;
}

export function createQueryGate(
  limits: typeof gateLimits | { [K in keyof typeof gateLimits]: number } = gateLimits,
): QueryGate {
  const holders = new Map<number, Holder>();
  const total = { queries: 0, streams: 0 };
  const running = (holder: Holder) => holder.queries + holder.streams;

  const fits = (holder: Holder, kind: Kind): boolean =>
    total.queries + total.streams < limits.running &&
    running(holder) < limits.perTenant &&
    (kind === 'query' || (total.streams < limits.streams && holder.streams < limits.streamsPerTenant));

  const count = (holder: Holder, kind: Kind, by: 1 | -1): void => {
    const field = kind === 'query' ? 'queries' : 'streams';
    holder[field] += by;
    total[field] += by;
  };

  /** Admits whoever may go now, fewest running first; tenants stand in the order in which they began to wait. */
  function admitNext(): void {
    for (;;) {
      const ready = [...holders.values()].filter((holder) => holder.waiting.some(({ kind }) => fits(holder, kind)));
      const next = ready.sort((a, b) => running(a) - running(b))[0];
      if (next === undefined) return;
      const at = next.waiting.findIndex(({ kind }) => fits(next, kind));
      const [admitted] = next.waiting.splice(at, 1);
      if (admitted === undefined) return;
      count(next, admitted.kind, 1);
      admitted.admit();
    }
  }

  function place(tenant: number, holder: Holder, kind: Kind): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      count(holder, kind, -1);
      if (running(holder) === 0 && holder.waiting.length === 0) holders.delete(tenant);
      admitNext();
    };
  }

  const busy = (message: string) =>
    new AppError('telemetry.too_many_queries', message, {
      status: 429,
      retryable: true,
      retryAfterSeconds: 2,
      context: { perTenant: limits.perTenant, waiting: limits.waitingPerTenant },
    });

  return {
    async enter(tenant, kind) {
      const holder = holders.get(tenant) ?? { queries: 0, streams: 0, waiting: [] };
      holders.set(tenant, holder);
      // Whoever waits for a stream does not hold up queries.
      if (!holder.waiting.some((other) => other.kind === kind) && fits(holder, kind)) {
        count(holder, kind, 1);
        return place(tenant, holder, kind);
      }
      if (holder.waiting.length >= limits.waitingPerTenant) {
        throw busy(`${limits.waitingPerTenant} reads of this tenant wait already: send fewer at once`);
      }
      await new Promise<void>((resolve, reject) => {
        const waiting: Waiting = {
          kind,
          admit() {
            clearTimeout(timer);
            resolve();
          },
        };
        const timer = setTimeout(() => {
          holder.waiting.splice(holder.waiting.indexOf(waiting), 1);
          reject(busy('the turn of this read did not come in time: send fewer at once, or narrower ones'));
        }, limits.waitMs);
        holder.waiting.push(waiting);
      });
      return place(tenant, holder, kind);
    },
  };
}

/** What one read may cost the engine. */
export const costLimits = { seconds: 10, memoryBytes: 256 * 1024 * 1024, rowsRead: 100_000_000 } as const;

/** Engine numbers of its limits: rows read, time, memory, rows and bytes of the result. *Source* ClickHouse `src/Common/ErrorCodes.cpp`. */
const costCodes = new Set(['158', '159', '160', '241', '307', '396']);
/** Rows or bytes of the result. */
const resultCode = '396';
/** A regular expression that the engine's dialect does not have. */
const patternCode = '427';

/** Translates the engine's refusal of an expensive read. *Errors* returns `telemetry.query_too_expensive` (422), `telemetry.filter_invalid` (400); others pass unchanged. */
export function fromReadError(error: unknown, narrow: string): unknown {
  if (!(error instanceof AppError)) return error;
  const code = String(error.context['engineCode'] ?? '');
  if (code === patternCode) {
    return new AppError('telemetry.filter_invalid', 'a regular expression is not one that the engine knows (RE2)', {
      status: 400,
      field: 'filter',
      cause: error,
    });
  }
  if (!costCodes.has(code)) return error;
  return new AppError(
    'telemetry.query_too_expensive',
    `the read needs more than ${costLimits.seconds} s, ${costLimits.rowsRead.toLocaleString('en-US')} rows or ${costLimits.memoryBytes / 1_048_576} MiB: narrow "${narrow}"`,
    { status: 422, field: narrow, context: { engineCode: code, ...costLimits }, cause: error },
  );
}

/** Did the engine stop because its answer passed a statement's own limit. */
export const isResultTooLarge = (error: unknown): boolean =>
  error instanceof AppError && error.context['engineCode'] === resultCode;

/** Reads of one request: bounded in cost, with errors that name what to narrow. */
export interface BoundedReader {
  query<P, R>(query: Query<P, R>, params: P): Promise<R[]>;
  stream<P, R>(query: Query<P, R>, params: P): AsyncIterable<R>;
}

/** The statements with their row limit, made once each. */
const boundedSql = new WeakMap<object, unknown>();

function bounded<P, R>(query: Query<P, R>): Query<P, R> {
  const known = boundedSql.get(query) as Query<P, R> | undefined;
  if (known !== undefined) return known;
  const sql = query.sql.trimEnd();
  const limit = `max_rows_to_read = ${costLimits.rowsRead}`;
  const made = { ...query, sql: /\nSETTINGS [^\n]+$/.test(sql) ? `${sql}, ${limit}` : `${sql}\nSETTINGS ${limit}` };
  boundedSql.set(query, made);
  return made;
}

/** Bounds every read through a store. *Shape* settings of a statement's own stand in its last line. */
export function createBoundedReader(store: Store, narrow: string): BoundedReader {
  const options: QueryOptions = { timeoutSeconds: costLimits.seconds, maxMemoryBytes: costLimits.memoryBytes };
  return {
    async query(query, params) {
      try {
        return await store.query(bounded(query), params, options);
      } catch (error) {
        throw fromReadError(error, narrow);
      }
    },
    async *stream(query, params) {
      try {
        yield* store.stream(bounded(query), params, { ...options, timeoutSeconds: 60 });
      } catch (error) {
        throw fromReadError(error, narrow);
      }
    },
  };
}
