import { AppError, type TenantLimits } from 'streams/contract';
import type { Sender } from './telemetry-acceptor.ts';

/** What one request holds of the door until it is answered. */
export interface Ticket {
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
 * *Errors* `limits.request_bytes` (413), `limits.concurrent_requests` (429), `ingest.overloaded` (503); the last two retryable with `retryAfterSeconds`.
 * *Bias* bytes in flight are a soft limit: a request that is let in may pass it by its own size, the next one is turned away.
 */
export interface Admission {
  /** `declaredBytes` is the request's length as it comes; 0 when it is not known yet. */
  enter(sender: Sender, declaredBytes: number): Ticket;
}

export interface AdmissionDeps {
  readonly limitsOf: (tenantId: string) => TenantLimits;
  /** Bytes that all requests may hold at a time, compressed and decompressed together. */
  readonly maxInFlightBytes: number;
}

export function createAdmission(deps: AdmissionDeps): Admission {
  let held = 0;
  const running = new Map<string, number>();

  return {
    enter({ tenant }, declaredBytes) {
      const limits = deps.limitsOf(tenant.id);
      if (declaredBytes > limits.requestBytes) throw tooLarge(limits.requestBytes);
      const concurrent = running.get(tenant.id) ?? 0;
      if (concurrent >= limits.concurrentRequests) throw tooMany(limits.concurrentRequests);
      // A door that holds nothing lets anything in: a request above the limit would otherwise never pass.
      if (held > 0 && held + declaredBytes > deps.maxInFlightBytes) throw overloaded();
      running.set(tenant.id, concurrent + 1);
      let own = declaredBytes;
      let left = false;
      held += own;
      const hold = (bytes: number) => {
        if (left) return;
        own += bytes;
        held += bytes;
      };
      return {
        received(bytes) {
          hold(bytes - declaredBytes);
          if (bytes > limits.requestBytes) throw tooLarge(limits.requestBytes);
        },
        hold,
        leave() {
          if (left) return;
          left = true;
          held -= own;
          const others = (running.get(tenant.id) ?? 1) - 1;
          if (others > 0) running.set(tenant.id, others);
          else running.delete(tenant.id);
        },
      };
    },
  };
}

function overloaded(): AppError {
  return new AppError('ingest.overloaded', 'too many bytes are being taken at the moment: send again later', {
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

function tooMany(limit: number): AppError {
  return new AppError('limits.concurrent_requests', `${limit} requests of this tenant are being taken already`, {
    status: 429,
    retryable: true,
    retryAfterSeconds: 1,
    context: { limit },
  });
}
