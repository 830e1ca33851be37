import type { Logger } from 'pino';
import { AppError } from '../contract/index.ts';

/**
 * Starts what needs a database server: one that starts at the same time, or again, is waited for; a refusal is not.
 *
 * *Errors* those of `start`, the last `control.unavailable` when the time is over or `signal` aborts.
 */
export async function waitForServer(
  start: () => Promise<void>,
  options: {
    readonly waitMs: number;
    readonly pauseMs?: number;
    readonly host: string;
    readonly logger: Pick<Logger, 'warn'>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { waitMs, pauseMs = 1000, host, logger, signal } = options;
  const until = performance.now() + waitMs;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      const isAway = error instanceof AppError && error.code === 'control.unavailable';
      if (!isAway || signal.aborted || performance.now() + pauseMs > until) throw error;
      logger.warn({ host, reason: error.message }, 'the PostgreSQL server does not answer yet');
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
