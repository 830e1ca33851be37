import type { FastifyReply } from 'fastify';
import { AppError } from '../contract/index.ts';
import type { LimitsDirectory, Principal } from './port.ts';
import { burstSeconds, TokenBucket } from './token-bucket.ts';

const keysMax = 10_000;

/**
 * Bounds how often one key reads. The operator is not bounded: that is the platform itself.
 *
 * *Shape* every answer carries `RateLimit-Policy` and `RateLimit`. *Source* draft-ietf-httpapi-ratelimit-headers-10.
 * *Errors* `access.read_limit` (429) with Retry-After.
 * *Bias* a key not seen for the longest time is forgotten beyond 10,000 keys and starts with a full bucket.
 */
export function createReadLimit(limits: LimitsDirectory, now: () => number) {
  const buckets = new Map<string, TokenBucket>();
  return (principal: Principal, reply: FastifyReply): void => {
    if (principal.role === 'operator') return;
    const rate = limits.of(principal.tenantId ?? '').readsPerSecond;
    const nowMs = now();
    const bucket = buckets.get(principal.id) ?? new TokenBucket(rate, nowMs);
    buckets.delete(principal.id);
    if (buckets.size >= keysMax) {
      const oldest = buckets.keys().next().value;
      if (oldest !== undefined) buckets.delete(oldest);
    }
    buckets.set(principal.id, bucket);
    bucket.refill(rate, nowMs);
    const refused = bucket.left < 1;
    if (!refused) bucket.take(1);
    const wait = refused ? 1 : 0;
    reply.header('ratelimit-policy', `"reads";q=${rate * burstSeconds};w=${burstSeconds}`);
    reply.header('ratelimit', `"reads";r=${Math.max(0, Math.floor(bucket.left))};t=${wait}`);
    if (!refused) return;
    throw new AppError('access.read_limit', `this key may read ${rate} times a second`, {
      status: 429,
      retryable: true,
      retryAfterSeconds: wait,
      context: { limit: rate },
    });
  };
}
