import type { Logger } from 'pino';
import { AppError, invariant } from '../contract/index.ts';
import type { Readiness } from '../runtime/module.ts';
import type { Fence, Leadership, Lease, Leases, LeaseWork } from './port.ts';

/** What the database says about leases, one statement a call. */
export interface LeaseTable {
  /** Renews what is held and takes what is free, all of a process at once. What comes back in neither list is not ours. */
  round(held: readonly Fence[], wanted: readonly string[]): Promise<LeaseRound>;
  /** True while the lease with this token is in force. */
  isHeld(fence: Fence): Promise<boolean>;
  release(fences: readonly Fence[]): Promise<void>;
}

export interface LeaseRound {
  readonly renewed: readonly Fence[];
  readonly taken: readonly Fence[];
}

export interface LeasesOptions {
  readonly table: LeaseTable;
  readonly logger: Logger;
  /** How long a lease is in force after its last renewal; the same as the table gives. */
  readonly leaseMs: number;
  readonly onChange?: (name: string, isLeading: boolean) => void;
}

/** The leases of this process; `stop` gives back what is still held. */
export interface ProcessLeases extends Leases {
  stop(): Promise<void>;
}

/** *Errors* `lease.lost`: another process has the lease or may take it at any moment. */
export function leaseLost(name: string): AppError {
  return new AppError('lease.lost', `the lease ${name} is not ours any more`, {
    status: 409,
    context: { lease: name },
  });
}

/** Readiness of a module that has started its jobs: which of them it leads. */
export function jobsReadiness(jobs: readonly Leadership[]): Readiness {
  return {
    ready: true,
    jobs: Object.fromEntries(jobs.map((job) => [job.name, job.isLeading() ? 'leading' : 'standing by'])),
  };
}

/** A lease in hand. The timer is a hint to stop early; what proves anything is the token, at the database. */
class HeldLease implements Lease {
  readonly name: string;
  readonly token: bigint;
  readonly #abort = new AbortController();
  readonly #table: LeaseTable;
  #timer: NodeJS.Timeout | undefined;

  constructor(fence: Fence, table: LeaseTable) {
    this.name = fence.name;
    this.token = fence.token;
    this.#table = table;
  }
  get signal(): AbortSignal {
    return this.#abort.signal;
  }
  async check(): Promise<void> {
    if (this.signal.aborted || !(await this.#table.isHeld(this)) || this.signal.aborted) {
      this.lose();
      throw leaseLost(this.name);
    }
  }
  /** In force until then, as far as this process can know. */
  extend(remainingMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.lose(), Math.max(0, remainingMs));
    this.#timer.unref();
  }
  lose(): void {
    clearTimeout(this.#timer);
    if (!this.signal.aborted) this.#abort.abort(leaseLost(this.name));
  }
}

/** A job that wants to lead: waits, leads, loses, waits again, until it is stopped. */
class Candidate implements Leadership {
  readonly name: string;
  readonly #work: LeaseWork;
  readonly #options: LeasesOptions;
  readonly #onStopped: (candidate: Candidate) => void;
  lease: HeldLease | null = null;
  #term: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  /** After work that did not start: another process may try first. */
  notBefore = 0;

  constructor(name: string, work: LeaseWork, options: LeasesOptions, onStopped: (candidate: Candidate) => void) {
    this.name = name;
    this.#work = work;
    this.#options = options;
    this.#onStopped = onStopped;
  }
  isLeading(): boolean {
    return this.lease !== null && !this.lease.signal.aborted;
  }
  isWaiting(): boolean {
    return this.lease === null && this.#stopping === undefined && performance.now() >= this.notBefore;
  }
  isStopping(): boolean {
    return this.#stopping !== undefined;
  }
  begin(lease: HeldLease): void {
    this.lease = lease;
    this.#options.logger.info({ lease: lease.name, fence: lease.token.toString() }, 'leading');
    this.#options.onChange?.(this.name, true);
    this.#term = this.#lead(lease);
  }
  /** Runs the work until the lease is lost or the job is stopped, and gives the lease back if it is still ours. */
  async #lead(lease: HeldLease): Promise<void> {
    const { logger, table, onChange } = this.#options;
    const over = new Promise<void>((resolve) => {
      lease.signal.addEventListener('abort', () => resolve(), { once: true });
      this.#endTerm = resolve;
      if (lease.signal.aborted || this.#stopping !== undefined) resolve();
    });
    try {
      const running = await this.#work(lease);
      await over;
      await running.stop();
    } catch (error) {
      logger.error({ err: error, lease: this.name }, 'the work of a lease failed; another process may take it');
      this.notBefore = performance.now() + this.#options.leaseMs / 3;
    }
    onChange?.(this.name, false);
    if (lease.signal.aborted) logger.warn({ lease: this.name }, 'leadership lost');
    else {
      lease.lose();
      await table.release([lease]).catch((error) => logger.warn({ err: error, lease: this.name }, 'not given back'));
    }
    this.lease = null;
  }
  #endTerm: () => void = () => undefined;

  stop(): Promise<void> {
    this.#stopping ??= Promise.resolve().then(async () => {
      this.#endTerm();
      await this.#term;
      this.#onStopped(this);
    });
    return this.#stopping;
  }
}

/**
 * Leads jobs by leases of a table: one round renews all leases of the process and takes those that are free, every third of a lease's time.
 *
 * *Bias* stops a job early rather than late: the signal comes a sixth of the lease's time before the database would give it to another process.
 */
export function createLeases(options: LeasesOptions): ProcessLeases {
  const { table, logger, leaseMs } = options;
  const candidates = new Map<string, Candidate>();
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;
  let failing = false;
  let stopped = false;

  function settle(held: readonly HeldLease[], result: LeaseRound, remainingMs: number): void {
    const isIn = (fences: readonly Fence[], { name, token }: Fence) =>
      fences.some((fence) => fence.name === name && fence.token === token);
    for (const lease of held) {
      if (isIn(result.renewed, lease)) {
        if (!lease.signal.aborted) lease.extend(remainingMs);
      } else lease.lose();
    }
    const unwanted: Fence[] = [];
    for (const fence of result.taken) {
      const candidate = candidates.get(fence.name);
      if (candidate === undefined || candidate.isStopping()) unwanted.push(fence);
      else {
        const lease = new HeldLease(fence, table);
        lease.extend(remainingMs);
        candidate.begin(lease);
      }
    }
    if (unwanted.length > 0) void table.release(unwanted).catch(() => undefined);
  }

  async function runRound(): Promise<void> {
    const all = [...candidates.values()];
    const held = all.flatMap(({ lease }) => (lease === null || lease.signal.aborted ? [] : [lease]));
    const wanted = all.filter((candidate) => candidate.isWaiting()).map(({ name }) => name);
    if (held.length === 0 && wanted.length === 0) return;
    // From the start of the statement: the database cannot have looked at its clock earlier.
    const asked = performance.now();
    try {
      const result = await table.round(held, wanted);
      settle(held, result, asked + (leaseMs * 5) / 6 - performance.now());
      failing = false;
    } catch (error) {
      if (!failing) logger.warn({ err: error }, 'leases could not be renewed; tried again until they expire');
      failing = true;
    }
  }

  function schedule(ms: number): void {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => {
      round ??= runRound().finally(() => {
        round = undefined;
        schedule(leaseMs / 3);
      });
    }, ms);
  }

  return {
    lead(name, work) {
      invariant(!candidates.has(name), `this process leads ${name} already`);
      invariant(!stopped, `leases are stopped, ${name} cannot lead`);
      const candidate = new Candidate(name, work, options, (ended) => {
        if (candidates.get(ended.name) === ended) candidates.delete(ended.name);
      });
      candidates.set(name, candidate);
      options.onChange?.(name, false);
      // Jobs that start together share a round.
      if (round === undefined) schedule(0);
      else void round.finally(() => schedule(0));
      return candidate;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
      await Promise.all([...candidates.values()].map((candidate) => candidate.stop()));
    },
  };
}
