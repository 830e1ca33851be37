export { PulseExportError } from './failures.ts';
export { PulseOptionError, type PulseOptions } from './options.ts';
export type { MeasuredMetric, MeasuredPoint } from './points.ts';
export { type Pulse, startPulse } from './pulse.ts';
