/** `short` runs in `npm test` (a few seconds), `full` in `npm run test:fault` (at most twenty minutes). */
export type CheckSize = 'short' | 'full';

/** What a check is given. */
export interface CheckContext {
  readonly size: CheckSize;
  /** An empty folder of this run's own. A resumed run finds what it left there. */
  readonly dir: string;
  /** Milliseconds since the epoch after which a run ends early, keeping what it has done by {@link CheckContext.save}. */
  readonly deadline: number;
  /** What an interrupted run saved last; null at a first run. */
  readonly resumed: unknown;
  /** Keeps progress, as JSON, so that an interrupted run goes on there. */
  save(state: unknown): void;
  progress(line: string): void;
}

export interface CheckOutcome {
  readonly passed: boolean;
  /** The figure that the table shows, such as `200 kills, 0 lost, 0 doubled`. */
  readonly figure: string;
  /** What went wrong, line by line. */
  readonly details?: readonly string[];
  /** True when the deadline ended the run before its end: what it saved is kept, and the next run goes on there. */
  readonly unfinished?: boolean;
}

/** One acceptance check of what must hold under fault and attack. */
export interface FaultCheck {
  /** `C02`. */
  readonly id: string;
  readonly title: string;
  /** What must hold. */
  readonly guarantee: string;
  /** What it needs beyond Node and npm, in words; its short form then runs in `npm run test:servers`. */
  readonly needs?: string;
  run(context: CheckContext): Promise<CheckOutcome>;
}
