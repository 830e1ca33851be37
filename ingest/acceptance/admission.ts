import { AppError, type TenantLimits } from 'streams/contract';
import type { MemoryGuard } from './memory-guard.ts';
import type { Sender } from './telemetry-acceptor.ts';
import { TenantRates } from './tenant-rates.ts';

/** What one request holds of the door until it is answered. */
export interface Ticket {
  /**
   * Bytes of a body whose length was not declared, as they come.
   *
   * *Errors* `limits.request_bytes` (413); `limits.bytes_in_flight` (429) and `ingest.overloaded` (503) once too much is held and others hold some of it: what was not announced is measured while it arrives.
   */
  arrive(bytes: number): void;
  /** The body as it came, complete: counts what was not declared. *Errors* `limits.request_bytes` (413). */
  received(bytes: number): void;
  /** Bytes made of the body, such as its decompressed form. */
  hold(bytes: number): void;
  /** Gives everything back; a second call changes nothing. */
  leave(): void;
}

/**
 * Who may come in now. Asked once a request, as soon as its sender is known and before its body is read, so that refusing costs next to nothing.
 *
 * *Errors* `limits.request_bytes` (413); `limits.points_per_second`, `limits.bytes_per_second`, `limits.concurrent_requests`, `limits.bytes_in_flight` (429) and `ingest.overloaded` (503), retryable with `retryAfterSeconds`.
 * *Bias* bytes in flight and memory are soft limits: a request that is let in may pass them by its own size, the next one is turned away. Alone at the door a request is always let in, so that
 * memory that is not given back cannot close it for good.
 */
export interface Admission {
  /** `declaredBytes` is the request's length as it comes; 0 when it is not known yet. */
  enter(sender: Sender, declaredBytes: number): Ticket;
  /** Takes what a request turned out to bring from the tenant's rates, once, before anything of it is stored. *Units* bytes after decompression. *Errors* the two of the rates. */
  charge(sender: Sender, records: number, bytes: number): void;
}

export interface AdmissionDeps {
  readonly limitsOf: (tenantId: string) => TenantLimits;
  /** Bytes that all requests may hold at a time, compressed and decompressed together. */
  readonly maxInFlightBytes: number;
  readonly memory: Pick<MemoryGuard, 'isOver'>;
  now(): number;
}

/** One tenant's requests hold at most this part of the bytes in flight, a single request aside. */
const tenantShare = 3;

export function createAdmission(deps: AdmissionDeps): Admission {
  let held = 0;
  let inside = 0;
  const running = new Map<string, { requests: number; bytes: number }>();
  const rates = new TenantRates();

  return {
    charge: ({ tenant }, records, bytes) =>
      rates.charge(tenant.id, deps.limitsOf(tenant.id), records, bytes, deps.now()),
    enter({ tenant }, declaredBytes) {
      const limits = deps.limitsOf(tenant.id);
      if (declaredBytes > limits.requestBytes) throw tooLarge(limits.requestBytes);
      rates.check(tenant.id, limits, deps.now());
      const own = running.get(tenant.id) ?? { requests: 0, bytes: 0 };
      if (own.requests >= limits.concurrentRequests) throw tooMany(limits.concurrentRequests);
      const isFull = (more: number) => held + more > deps.maxInFlightBytes || deps.memory.isOver();
      if (inside > 0 && isFull(declaredBytes)) throw overloaded();
      // Also of what is only announced: senders that stall could otherwise hold the door for everybody.
      const share = Math.floor(deps.maxInFlightBytes / tenantShare);
      if (own.requests > 0 && own.bytes + declaredBytes > share) throw tooManyBytes(share);
      inside++;
      own.requests++;
      running.set(tenant.id, own);
      let taken = 0;
      let arrived = 0;
      let left = false;
      const hold = (bytes: number) => {
        if (left) return;
        taken += bytes;
        own.bytes += bytes;
        held += bytes;
      };
      hold(declaredBytes);
      return {
        arrive(bytes) {
          arrived += bytes;
          hold(bytes);
          if (arrived > limits.requestBytes) throw tooLarge(limits.requestBytes);
          if (inside > 1 && isFull(0)) throw overloaded();
          if (own.requests > 1 && own.bytes > share) throw tooManyBytes(share);
        },
        received(bytes) {
          hold(bytes - declaredBytes - arrived);
          if (bytes > limits.requestBytes) throw tooLarge(limits.requestBytes);
        },
        hold,
        leave() {
          if (left) return;
          left = true;
          held -= taken;
          own.bytes -= taken;
          inside--;
          own.requests--;
          if (own.requests === 0) running.delete(tenant.id);
        },
      };
    },
  };
}

function overloaded(): AppError {
  return new AppError('ingest.overloaded', 'too much is being taken at the moment: send again later', {
    status: 503,
    retryable: true,
    retryAfterSeconds: 1,
  });
}

function tooLarge(limit: number): AppError {
  return new AppError('limits.request_bytes', `one request may have ${limit} bytes`, {
    status: 413,
    context: { limit },
  });
}

function tooManyBytes(limit: number): AppError {
  return new AppError('limits.bytes_in_flight', `requests of this tenant may hold ${limit} bytes at a time`, {
    status: 429,
    retryable: true,
    retryAfterSeconds: 1,
    context: { limit },
  });
}

function tooMany(limit: number): AppError {
  return new AppError('limits.concurrent_requests', `${limit} requests of this tenant are being taken already`, {
    status: 429,
    retryable: true,
    retryAfterSeconds: 1,
    context: { limit },
  });
}
