export { createForwarder, type ForwarderOptions, type ForwardOutcome, forwardGroup } from './forwarder.ts';
export { modules } from './module.ts';
export { createOtlpSender, type OtlpSender, type OtlpTarget, type SendResult } from './otlp-sender.ts';
export type { ForwardTarget } from './port.ts';
export { withTenant } from './tenant-attribute.ts';
