import { AppError } from 'streams/contract';

export interface MeteringLoopDeps {
  run(): Promise<unknown>;
  readonly intervalMs: number;
  onError(error: unknown): void;
}

/** Runs metering again and again, one run at a time, each an interval after the end of the one before. A failed run is reported and tried again. */
export function createMeteringLoop(deps: MeteringLoopDeps) {
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> | undefined;
  let stopped = true;
  let failure: string | null = null;

  async function once(): Promise<void> {
    try {
      await deps.run();
      failure = null;
    } catch (error) {
      failure = error instanceof AppError ? error.code : 'internal';
      deps.onError(error);
    }
  }
  function tick(): void {
    current = once().finally(() => {
      if (!stopped) timer = setTimeout(tick, deps.intervalMs);
    });
  }
  return {
    start(): void {
      stopped = false;
      tick();
    },
    /** Lets the run in hand end. Idempotent. */
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
    /** Code of the last run's error; null after a good one. */
    failure: () => failure,
  };
}
