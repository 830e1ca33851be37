import { AppError } from '../contract/index.ts';

/**
 * Everything in this process that writes to the time-series tables goes through it; whoever needs them still (a swap, the cut of a backup) closes it.
 *
 * *Shape* any number of works run side by side; `close` waits for those in hand, newcomers wait until it is opened again. One closer at a time.
 */
export interface WorkGate {
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves with the function that opens it again. *Errors* `maintenance.busy` (retryable) when the works in hand do not end in time; it is open again then. */
  close(timeoutMs: number): Promise<() => void>;
}

export function createWorkGate(): WorkGate {
  let inside = 0;
  let closed: { readonly opened: Promise<void>; open(): void } | null = null;
  let empty: (() => void) | null = null;

  function shut() {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = () => {
        closed = null;
        resolve();
      };
    });
    return { opened, open: () => open() };
  }

  return {
    async run(work) {
      while (closed !== null) await closed.opened;
      inside += 1;
      try {
        return await work();
      } finally {
        inside -= 1;
        if (inside === 0) empty?.();
      }
    },
    async close(timeoutMs) {
      while (closed !== null) await closed.opened;
      const mine = shut();
      closed = mine;
      let timer: NodeJS.Timeout | undefined;
      const isEmpty = new Promise<boolean>((resolve) => {
        if (inside === 0) return resolve(true);
        empty = () => resolve(true);
        timer = setTimeout(() => resolve(false), timeoutMs);
      });
      const reached = await isEmpty;
      clearTimeout(timer);
      empty = null;
      if (reached) return mine.open;
      mine.open();
      throw new AppError(
        'maintenance.busy',
        `work on the tables did not end within ${Math.round(timeoutMs / 1000)} s: try again later`,
        { status: 503, retryable: true },
      );
    },
  };
}
