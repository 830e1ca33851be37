/** What a service level is measured against. */
export interface Objective {
  /** Fraction of measured minutes that must be good. */
  readonly target: number;
  /** A minute is bad when a larger fraction of its requests failed. */
  readonly errorRatioMax: number;
  /** Fewer requests a minute than this say nothing about errors. */
  readonly requestsPerMinuteMin: number;
}

/** The platform's promise. *Source* platform uptime 99.95 %; limit and minimum are our defaults. */
export const defaultObjective: Objective = { target: 0.9995, errorRatioMax: 0.05, requestsPerMinuteMin: 10 };
