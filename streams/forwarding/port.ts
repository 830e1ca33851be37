import type { OtlpSender } from './otlp-sender.ts';

/** Where telemetry goes besides the own store. */
export interface ForwardTarget {
  readonly sender: OtlpSender;
  /** Derived metrics are wanted there. */
  readonly derived: boolean;
}
