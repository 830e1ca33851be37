import { TokenBucket } from 'streams/access';
import { AppError, type TenantLimits } from 'streams/contract';

interface Buckets {
  readonly points: TokenBucket;
  readonly bytes: TokenBucket;
}

/** Points and bytes a second of every tenant. A tenant that was silent for longer than the burst is forgotten: its buckets would be full. */
export class TenantRates {
  #young = new Map<string, Buckets>();
  #old = new Map<string, Buckets>();
  #turnedAtMs = 0;

  /** Refuses while a debt stands, at the cost of a look-up: nothing of the request needs to be known. *Errors* `limits.points_per_second`, `limits.bytes_per_second` (429, retryable). */
  check(tenantId: string, limits: TenantLimits, nowMs: number): void {
    const { points, bytes } = this.#buckets(tenantId, limits, nowMs);
    if (points.isEmpty)
      throw tooFast('limits.points_per_second', 'points', limits.pointsPerSecond, points.waitSeconds());
    if (bytes.isEmpty) throw tooFast('limits.bytes_per_second', 'bytes', limits.bytesPerSecond, bytes.waitSeconds());
  }

  /** Takes what a request turned out to bring; refuses it whole when others of the tenant came first and left a debt. *Errors* as {@link check}. */
  charge(tenantId: string, limits: TenantLimits, points: number, bytes: number, nowMs: number): void {
    this.check(tenantId, limits, nowMs);
    const buckets = this.#buckets(tenantId, limits, nowMs);
    buckets.points.take(points);
    buckets.bytes.take(bytes);
  }

  #buckets(tenantId: string, limits: TenantLimits, nowMs: number): Buckets {
    this.#turn(nowMs);
    const found = this.#young.get(tenantId) ?? this.#old.get(tenantId);
    const buckets = found ?? {
      points: new TokenBucket(limits.pointsPerSecond, nowMs),
      bytes: new TokenBucket(limits.bytesPerSecond, nowMs),
    };
    this.#young.set(tenantId, buckets);
    buckets.points.refill(limits.pointsPerSecond, nowMs);
    buckets.bytes.refill(limits.bytesPerSecond, nowMs);
    return buckets;
  }

  /** Two generations, so that memory follows the tenants that send; debts older than an hour are forgiven with them. */
  #turn(nowMs: number): void {
    if (nowMs - this.#turnedAtMs < generationMs) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedAtMs = nowMs;
  }
}

const generationMs = 3_600_000;

function tooFast(code: string, what: string, limit: number, retryAfterSeconds: number): AppError {
  return new AppError(code, `this tenant may send ${limit} ${what} a second: send again in ${retryAfterSeconds} s`, {
    status: 429,
    retryable: true,
    retryAfterSeconds,
    context: { limit },
  });
}
