import { AppError } from '../contract/index.ts';

/** A fixed set of things that serve one caller at a time, handed out first come first served. */
export interface ConnectionPool<T> {
  /** Runs `use` with a free item; waits for one when all are busy. *Errors* `store.unavailable` (retryable) after {@link close}. */
  with<R>(use: (item: T) => Promise<R>): Promise<R>;
  take(): Promise<T>;
  give(item: T): void;
  /** Refuses new callers and resolves with the items once each has been given back. */
  close(): Promise<readonly T[]>;
}

const closedError = () => new AppError('store.unavailable', 'the store is stopped', { status: 503, retryable: true });

export function createConnectionPool<T>(items: readonly T[]): ConnectionPool<T> {
  const free = [...items];
  const waiting: { resolve(item: T): void; reject(error: unknown): void }[] = [];
  let closed = false;
  let drained: (() => void) | undefined;

  const give = (item: T) => {
    const next = waiting.shift();
    if (next) return next.resolve(item);
    free.push(item);
    if (free.length === items.length) drained?.();
  };
  const take = () => {
    if (closed) return Promise.reject(closedError());
    const item = free.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise<T>((resolve, reject) => waiting.push({ resolve, reject }));
  };
  return {
    take,
    give,
    async with(use) {
      const item = await take();
      try {
        return await use(item);
      } finally {
        give(item);
      }
    },
    async close() {
      closed = true;
      for (const caller of waiting.splice(0)) caller.reject(closedError());
      if (free.length < items.length) {
        await new Promise<void>((resolve) => {
          drained = resolve;
        });
      }
      return items;
    },
  };
}
