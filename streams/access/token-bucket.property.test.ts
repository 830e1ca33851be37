import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

test('a bucket lets through the burst, the rate and at most one request more', () => {
  const step = fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 1, max: 20_000 }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(step, { maxLength: 60 }), (rate, steps) => {
      const bucket = new TokenBucket(rate, 0);
      let now = 0;
      let passed = 0;
      let largest = 0;
      for (const [pause, amount] of steps) {
        now += pause;
        bucket.refill(rate, now);
        if (bucket.isEmpty) continue;
        bucket.take(amount);
        passed += amount;
        largest = Math.max(largest, amount);
      }
      expect(passed).toBeLessThanOrEqual(rate * 10 + (rate * now) / 1000 + largest);
    }),
  );
});

test('a bucket lets somebody in again after the wait that it names, and not a second before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1_000_000 }), (rate, amount) => {
      const bucket = new TokenBucket(rate, 0);
      bucket.take(amount);
      const wait = bucket.waitSeconds();
      if (wait === 0) {
        expect(bucket.isEmpty).toBe(false);
        return;
      }
      bucket.refill(rate, (wait - 1) * 1000);
      expect(bucket.isEmpty).toBe(true);
      bucket.refill(rate, wait * 1000 + 1);
      expect(bucket.isEmpty).toBe(false);
    }),
  );
});

test('a clock that goes back adds nothing, and a lower rate cuts what was saved up', () => {
  const bucket = new TokenBucket(100, 1000);
  bucket.take(600);
  bucket.refill(100, 0);
  expect(bucket.left).toBe(400);
  bucket.refill(10, 0);
  expect(bucket.left).toBe(100);
});
