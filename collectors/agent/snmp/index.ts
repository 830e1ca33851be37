export { parseSnmpConfig, SnmpConfig, type SnmpDevice } from './device.ts';
export { startPolling } from './start-polling.ts';
