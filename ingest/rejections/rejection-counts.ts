import { AppError, type Signal } from 'streams/contract';
import { addRejectedCounts, type Control, dropRejectedCounts } from 'streams/control';

/** Counts what was refused, by tenant, hour, signal and reason, and brings it to the control plane now and then. */
export interface RejectionCounts {
  record(tenantId: string, signal: Signal, reason: string, records: number, detail: string): void;
  /** Adds what was counted since to the table. What could not be written stays for the next time. */
  flush(): Promise<void>;
}

interface Pending {
  readonly tenantId: string;
  readonly hourMs: number;
  readonly signal: Signal;
  readonly reason: string;
  records: number;
  lastMs: number;
  detail: string;
}

const hourMs = 3_600_000;
const keptMs = 35 * 24 * hourMs;
/** Reasons, signals and tenants are bounded; this bounds an outage of the control plane. */
const pendingMax = 20_000;

/** *Bias* what was counted since the last flush (seconds) is lost with the process: a figure that explains, never one that is billed. */
export function createRejectionCounts(deps: {
  readonly control: Pick<Control, 'tally'>;
  now(): number;
}): RejectionCounts {
  const { control, now } = deps;
  let pending = new Map<string, Pending>();
  let prunedHour = 0;

  const add = (to: Map<string, Pending>, entry: Pending) => {
    const key = `${entry.tenantId}|${entry.hourMs}|${entry.signal}|${entry.reason}`;
    const known = to.get(key);
    if (known === undefined) {
      if (to.size < pendingMax) to.set(key, entry);
      return;
    }
    known.records += entry.records;
    if (entry.lastMs >= known.lastMs) {
      known.lastMs = entry.lastMs;
      known.detail = entry.detail;
    }
  };

  return {
    record(tenantId, signal, reason, records, detail) {
      const lastMs = now();
      const hour = Math.floor(lastMs / hourMs) * hourMs;
      add(pending, {
        tenantId,
        hourMs: hour,
        signal,
        reason,
        records,
        lastMs,
        detail: detail.toWellFormed().slice(0, 500),
      });
    },

    async flush() {
      if (pending.size === 0) return;
      const taken = pending;
      pending = new Map();
      try {
        await control.tally(async (tx) => {
          const counts = [...taken.values()].map(({ tenantId, hourMs: hour, lastMs, ...entry }) => ({
            ...entry,
            tenant: tenantId,
            hour: new Date(hour).toISOString(),
            lastAt: new Date(lastMs).toISOString(),
          }));
          await addRejectedCounts(tx, counts);
          const hour = Math.floor(now() / hourMs);
          if (hour === prunedHour) return;
          await dropRejectedCounts(tx, new Date(now() - keptMs).toISOString());
          prunedHour = hour;
        });
      } catch (error) {
        for (const entry of taken.values()) add(pending, entry);
        throw error;
      }
    },
  };
}

/** What may be said about a refusal: the field that was wrong, or the limit that was met. Messages that quote what was sent are left out. */
export function detailOf(error: unknown): string {
  if (!(error instanceof AppError)) return '';
  return error.code.startsWith('limits.') ? error.message : (error.field ?? '');
}
