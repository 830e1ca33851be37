import { expect, test } from 'vitest';
import { storeReadiness } from './module.ts';

test('a process that is the store of others is ready once they can reach it', () => {
  expect(storeReadiness('http://127.0.0.1:8123')).toEqual({ ready: true });
  expect(storeReadiness(null)).toEqual({
    ready: false,
    reason: expect.stringContaining('set PULSE_CLICKHOUSE_HTTP_PORT'),
  });
});
