import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import type { PoolConfig } from 'pg';
import type { Logger } from 'pino';
import { AppError, createDomainEvent, type DomainEventDraft, invariant } from '../contract/index.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { auditDetail, auditHash } from './audit-chain.ts';
import { createLeaseTable, lockFence } from './kysely-lease-table.ts';
import { createOutbox } from './kysely-outbox.ts';
import { type LeaseTable, leaseLost } from './leases.ts';
import { migrate, readMigrations } from './migrations.ts';
import { createClient, createPool, fromPgError } from './pg-pool.ts';
import { createPgliteServer, type FsyncCounts, type PgliteServer } from './pglite-server.ts';
import type {
  Actor,
  AuditEntry,
  Control,
  ControlTransaction,
  Fence,
  Mutation,
  Outbox,
  RowScope,
  WriteOptions,
} from './port.ts';
import type { ControlTables } from './tables.ts';

/** Where the control plane lives: PGlite below a directory, or a PostgreSQL server (15 or newer). */
export type ControlConnection =
  | { readonly kind: 'pglite'; readonly dir: string }
  | {
      readonly kind: 'postgres';
      readonly url: string;
      /** Connections of this process at most, besides the one for leases; default 10. */
      readonly connections?: number;
      /** How long a caller waits for one of them; default 30 s. */
      readonly waitMs?: number;
      /** How long a server may say nothing before its connection is given up; default 40 s, beyond every limit of a statement. */
      readonly silenceMs?: number;
    };

/** The port plus what readiness and tests ask of the adapter. */
export interface KyselyControl extends Control {
  /** Why the database is gone; null while it serves. */
  failure(): Error | null;
  /** Real fsync calls of PGlite; null on a server, which counts its own. */
  fsyncs(): Promise<FsyncCounts | null>;
  /** Where mutations leave their events. */
  readonly outbox: Outbox;
  /** Table `leases` for one holder: this process, unless a test names another. `isAlone` when the database serves nobody else, by default so on PGlite. */
  leaseTable(options: { readonly leaseMs: number; readonly isAlone?: boolean }): LeaseTable;
}

/** Tables behind the port that no caller sees. */
interface InternalTables extends ControlTables {
  audit_head: { one: boolean; records: string; hash: string };
}

type RoleName = 'pulse_reader' | 'pulse_writer' | 'pulse_counter' | 'pulse_leaser' | 'pulse_relay';

/**
 * Puts the transaction under a role and a scope, in one round trip. `set_config(…, true)` lasts until the transaction ends, exactly as `SET LOCAL ROLE` does:
 * the login itself (a superuser on PGlite) passes row-level security by.
 */
async function enterScope(tx: Transaction<ControlTables>, role: RoleName, scope: RowScope): Promise<void> {
  const tenant = scope.kind === 'tenant' ? scope.tenantId : '';
  const partner = scope.kind === 'global' ? '' : (scope.partnerId ?? '');
  await sql`SELECT set_config('app.scope', ${scope.kind}, true), set_config('app.tenant', ${tenant}, true),
    set_config('app.partner', ${partner}, true), set_config('role', ${role}, true)`.execute(tx);
}

const everything: RowScope = { kind: 'global' };

/** Holds off whoever would take the lease until the transaction ends. *Errors* `lease.lost`. */
async function enterFence(tx: Transaction<ControlTables>, fence: Fence | undefined): Promise<void> {
  if (fence === undefined) return;
  await enterScope(tx, 'pulse_leaser', everything);
  if (!(await lockFence(tx, fence))) throw leaseLost(fence.name);
}

/** Limits of every connection to a server: a process that stands still in the middle of a transaction lets go of its locks. */
const serverLimits = {
  statement_timeout: 30_000,
  // Longer than the next: whoever waits for a process that stands still gets what it waits for.
  lock_timeout: 25_000,
  idle_in_transaction_session_timeout: 15_000,
} satisfies PoolConfig;
/** Longer than any statement may take. */
const silenceMs = 40_000;
const leaseSilenceMs = 7000;
/** Leases have a connection of their own, so that no load of others makes them expire. */
const leaseLimits = {
  max: 1,
  connectionTimeoutMillis: 5000,
  statement_timeout: 5000,
  idle_in_transaction_session_timeout: 5000,
} satisfies PoolConfig;

/** Appends to the chain. The lock on the head is taken last, so that writers wait for each other as briefly as can be. */
async function appendAudit(
  tx: Transaction<ControlTables>,
  actor: Actor,
  entries: readonly AuditEntry[],
  nowMs: number,
): Promise<void> {
  await sql`SET LOCAL ROLE pulse_auditor`.execute(tx);
  const internal = tx as unknown as Transaction<InternalTables>;
  const head = await internal.selectFrom('audit_head').select(['records', 'hash']).forUpdate().executeTakeFirst();
  if (head === undefined) throw new AppError('control.audit_head_missing', 'the head of the audit chain is missing');
  const at = new Date(nowMs).toISOString();
  let seq = BigInt(head.records);
  let previousHash = head.hash;
  for (const entry of entries) {
    seq += 1n;
    const content = {
      seq: seq.toString(),
      at,
      actor: actor.id,
      correlationId: actor.correlationId,
      tenantId: entry.tenantId,
      action: entry.action,
      resource: entry.resource,
      detail: auditDetail(entry),
      previousHash,
    };
    const hash = auditHash(content);
    await tx
      .insertInto('audit_log')
      .values({
        seq: content.seq,
        at,
        actor: content.actor,
        correlation_id: content.correlationId,
        tenant_id: content.tenantId,
        action: content.action,
        resource: content.resource,
        detail: JSON.stringify(content.detail),
        previous_hash: previousHash,
        hash,
      })
      .execute();
    previousHash = hash;
  }
  await internal.updateTable('audit_head').set({ records: seq.toString(), hash: previousHash }).execute();
}

/** Leaves events to the relay. Under the lock on the head of the audit chain, so that their numbers have the order of the commits. */
async function appendEvents(
  tx: Transaction<ControlTables>,
  actor: Actor,
  drafts: readonly DomainEventDraft[],
  nowMs: number,
): Promise<void> {
  const at = new Date(nowMs).toISOString();
  for (const draft of drafts) {
    const event = createDomainEvent(draft, { id: randomUUID(), at, correlationId: actor.correlationId });
    await tx
      .insertInto('outbox')
      .values({
        id: event.id,
        type: event.type,
        tenant_id: draft.tenantId ?? null,
        at: event.time,
        document: JSON.stringify(event),
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/**
 * Creates the control plane over Kysely and `pg`; nothing runs before `start`, which opens the database and migrates it.
 *
 * *Errors* those of the port, and at start `control.newer_version`, `control.migration_changed`, `control.unavailable`.
 */
export function createControl(options: {
  readonly connection: ControlConnection;
  readonly logger: Logger;
  readonly clock?: Clock;
}): KyselyControl {
  const { connection, logger } = options;
  const clock = options.clock ?? systemClock;
  const server: PgliteServer | null = connection.kind === 'pglite' ? createPgliteServer({ dir: connection.dir }) : null;
  const inTransaction = new AsyncLocalStorage<{ open: boolean }>();
  let db: Kysely<ControlTables> | null = null;
  let leaseDb: Kysely<ControlTables> | null = null;
  const eventListeners = new Set<() => void>();

  /** PGlite has one session, so a transaction that waits for another one inside itself would wait for ever. */
  async function exclusively<T>(run: () => Promise<T>): Promise<T> {
    invariant(
      inTransaction.getStore()?.open !== true,
      'a control transaction was started inside another one; use the outer tx',
    );
    const state = { open: true };
    try {
      return await inTransaction.run(state, run);
    } catch (error) {
      throw fromPgError(error);
    } finally {
      state.open = false;
    }
  }

  async function poolConfig(): Promise<PoolConfig> {
    if (connection.kind === 'postgres') {
      const { url, connections = 10, waitMs } = connection;
      return {
        connectionString: url,
        max: connections,
        application_name: 'pulse',
        ...serverLimits,
        ...(waitMs !== undefined && { connectionTimeoutMillis: waitMs }),
      };
    }
    invariant(server, 'PGlite has its server');
    // One connection: PGlite has one session, and its socket server would mix the messages of two.
    return { ...(await server.start()), max: 1 };
  }

  function database(): Kysely<ControlTables> {
    const failure = server?.failure() ?? null;
    if (db !== null && failure === null) return db;
    throw new AppError('control.unavailable', 'the control-plane database is not running', {
      status: 503,
      retryable: true,
      cause: failure,
    });
  }

  const asRelay = <T>(fence: Fence | undefined, run: (tx: ControlTransaction) => Promise<T>): Promise<T> =>
    exclusively(() =>
      database()
        .transaction()
        .execute(async (tx) => {
          await enterFence(tx, fence);
          await enterScope(tx, 'pulse_relay', everything);
          return run(tx);
        }),
    );

  return {
    async start() {
      try {
        const config = await poolConfig();
        const { max: _pooled, ...single } = config;
        const client = createClient(single);
        await client.connect();
        try {
          const applied = await migrate(client, await readMigrations());
          if (applied.length > 0) logger.info({ applied }, 'control plane migrated');
        } finally {
          await client.end();
        }
        const open = (settings: PoolConfig, silenceMs?: number) =>
          new Kysely<ControlTables>({
            dialect: new PostgresDialect({
              pool: createPool(
                settings,
                (error) => logger.warn({ err: error }, 'a control-plane connection failed'),
                silenceMs,
              ),
            }),
          });
        db = connection.kind === 'postgres' ? open(config, connection.silenceMs ?? silenceMs) : open(config);
        leaseDb = connection.kind === 'postgres' ? open({ ...config, ...leaseLimits }, leaseSilenceMs) : db;
      } catch (error) {
        await server?.stop();
        throw fromPgError(error);
      }
    },

    async stop() {
      const closing = new Set([db, leaseDb]);
      db = null;
      leaseDb = null;
      for (const one of closing) await one?.destroy();
      await server?.stop();
    },

    read<T>(scope: RowScope, run: (tx: ControlTransaction) => Promise<T>): Promise<T> {
      return exclusively(() =>
        database()
          .transaction()
          .setAccessMode('read only')
          .execute(async (tx) => {
            await enterScope(tx, 'pulse_reader', scope);
            return run(tx);
          }),
      );
    },

    async mutate<T>(
      actor: Actor,
      scope: RowScope,
      run: (tx: ControlTransaction) => Promise<Mutation<T>>,
      options?: WriteOptions,
    ): Promise<T> {
      let told = 0;
      const result = await exclusively(() =>
        database()
          .transaction()
          .execute(async (tx) => {
            await enterFence(tx, options?.fence);
            await enterScope(tx, 'pulse_writer', scope);
            const { result, audit, events = [] } = await run(tx);
            const entries: readonly AuditEntry[] = [audit].flat();
            const drafts: readonly DomainEventDraft[] = [events].flat();
            invariant(
              entries.length > 0 && entries.every((entry) => entry?.action && entry.resource),
              'a mutation of the control plane returned no audit entry',
            );
            await appendAudit(tx, actor, entries, clock.now());
            await appendEvents(tx, actor, drafts, clock.now());
            told = drafts.length;
            return result;
          }),
      );
      if (told > 0) for (const wake of eventListeners) wake();
      return result;
    },

    tally<T>(run: (tx: ControlTransaction) => Promise<T>, options?: WriteOptions): Promise<T> {
      return exclusively(() =>
        database()
          .transaction()
          .execute(async (tx) => {
            await enterFence(tx, options?.fence);
            await enterScope(tx, 'pulse_counter', everything);
            return run(tx);
          }),
      );
    },

    outbox: createOutbox({
      read: (run) => asRelay(undefined, run),
      write: (fence, run) => asRelay(fence, run),
      onWritten(wake) {
        eventListeners.add(wake);
        return () => void eventListeners.delete(wake);
      },
    }),

    leaseTable: ({ leaseMs, isAlone }) =>
      createLeaseTable({
        leaseMs,
        isAlone: isAlone ?? connection.kind === 'pglite',
        holder: `${hostname()}/${process.pid}/${randomUUID()}`,
        asLeaser: (run) =>
          exclusively(() => {
            database();
            invariant(leaseDb, 'leases have their connection as long as the database is open');
            return leaseDb.transaction().execute(async (tx) => {
              await enterScope(tx, 'pulse_leaser', everything);
              // A token that a crash of the server takes back would be given twice.
              await sql`SET LOCAL synchronous_commit = on`.execute(tx);
              return run(tx);
            });
          }),
      }),

    failure: () => server?.failure() ?? null,
    fsyncs: async () => (server === null ? null : server.fsyncs()),
  };
}
