import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { heapGrowthMiB } from '../c46-fuzz.ts';
import { fuzzDoors } from './doors.ts';

/** A server that fails on the letter that it does not like. */
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.statusCode = request.headers['content-encoding'] === 'zstd' ? 500 : 200;
    response.end();
  });
});
afterAll(() => server.close());

test('an endpoint that answers 500 to some of the requests is found, with a seed to repeat it', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fuzzing = fuzzDoors({ http: url, otlpHttp: url, otlpGrpc: url }, 'key', new Map(), 42, 200);
  await expect(fuzzing).rejects.toThrow(/seed: 42[\s\S]*answered 500/);
});

test('growth is told from the least heap of the last third against the middle one', () => {
  const mebibytes = (...values: number[]) => values.map((value) => value * 1024 * 1024);
  expect(heapGrowthMiB(mebibytes(10, 90, 50, 60, 55, 52))).toBe(2);
  expect(heapGrowthMiB(mebibytes(10, 20, 30, 40, 50, 60))).toBe(20);
  expect(heapGrowthMiB(mebibytes(70, 70))).toBe(0);
});
