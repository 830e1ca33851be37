import type { Broker } from './broker.ts';

/** `short` fits into `npm run test:servers`, `full` is `npm run test:kafka`. */
export type KafkaCheckSize = 'short' | 'full';

export interface KafkaCheckContext {
  /** A folder of this run alone. */
  readonly dir: string;
  readonly broker: Broker;
  /** Before the names of topics and groups: a run has its own. */
  readonly prefix: string;
  readonly size: KafkaCheckSize;
}

/** One row of the matrix. */
export interface KafkaCheck {
  readonly name: string;
  /** Answers its figures, and what is wrong: nothing when it holds. */
  run(context: KafkaCheckContext): Promise<{ readonly figure: string; readonly problems: readonly string[] }>;
}
