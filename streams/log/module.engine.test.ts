import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import type { Services } from '../runtime/module.ts';
import { logModule } from './module.ts';
import { temporaryDirectory } from './test-disk.ts';

it('the module starts the log under the data directory, reports its metrics and stops twice', async () => {
  const { dir, remove } = await temporaryDirectory();
  const metrics = new Registry();
  const logger = { warn: () => undefined, error: () => undefined };
  const services = { dataDir: dir, metrics, logger, clock: { now: () => 1 } } as unknown as Services;
  const running = logModule.create(logModule.config.parse({}), services);
  expect(running.ready()).toMatchObject({ ready: false });
  await running.start();
  expect(running.ready()).toEqual({ ready: true });
  const log = running.provides?.log;
  await log?.append('decisions', [{ key: 'a', headers: {}, payload: Buffer.from('x') }]);
  const consumer = log?.consumer({
    topic: 'decisions',
    group: 'g',
    maxRecords: 1,
    maxBytes: 1,
    lingerMs: 0,
    handle: () => Promise.reject(new Error('down')),
    onError: () => undefined,
  });
  await consumer?.start();
  const text = await metrics.metrics();
  expect(text).toContain('pulse_log_appended_records_total{topic="decisions"} 1');
  expect(text).toContain('pulse_log_consumer_lag_records{topic="decisions",partition="0",group="g"} 1');
  expect(text).toContain('pulse_log_sync_seconds_count 1');
  expect(text).toContain('pulse_log_queue_bytes 0');
  await running.stop();
  await running.stop();
  await remove();
  expect(() => logModule.config.parse({ segmentMiB: 0 })).toThrow();
  expect(() => logModule.config.parse({ segment: 1 })).toThrow();
});
