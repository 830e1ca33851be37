import { type Selectable, sql } from 'kysely';
import type { Control } from '../control/port.ts';
import type { ControlTables } from '../control/tables.ts';
import type { Clock } from '../runtime/clock.ts';
import { equalHashes, hashToken, prefixOf } from './api-key.ts';
import type { Access, Principal } from './port.ts';

/** How long a key that was good stays so without a look at the control plane: the bound on a revocation made by another process. */
const cacheMs = 5_000;
const cacheEntriesMax = 10_000;
/** A key is renewed along with others while it was used within this time: exporters send every minute. */
const inUseMs = 5 * 60_000;
const readMax = 2_000;
const noHash = '0'.repeat(64);

interface Known {
  readonly principal: Principal;
  readonly prefix: string;
  readonly keyId: string;
  readonly goodUntil: number;
  usedAt: number;
}

type KeyRow = Pick<
  Selectable<ControlTables['api_keys']>,
  'id' | 'tenant_id' | 'hash' | 'scopes' | 'expires_at' | 'revoked_at'
>;

interface Asked {
  readonly prefix: string;
  readonly tokenHash: string;
  readonly resolve: (principal: Principal | null) => void;
  readonly reject: (error: unknown) => void;
}

/** The port plus what a revocation in this process needs. */
export interface ControlAccess extends Access {
  /** The operator's token once the module has read it; until then nobody is operator. */
  setOperatorToken(token: string): void;
  /** Forgets a key at once. */
  forget(keyId: string): void;
}

/**
 * Checks tokens against the operator's token and the keys of the control plane, remembering good keys for 5 s so that ingest asks the database seldom.
 *
 * *Shape* one read at a time: who asks meanwhile goes into the next, and every read renews the keys in use that are past half their time. A thousand senders so cost one read in 2.5 s, not
 * a thousand.
 * *Errors* `control.unavailable` (retryable) when a key is not remembered and the database is away: never taken for "unknown".
 * *Bias* a key revoked by another process works up to 5 s longer; one revoked here stops at once.
 */
export function createControlAccess(deps: { readonly control: Control; readonly clock: Clock }): ControlAccess {
  const { control, clock } = deps;
  const remembered = new Map<string, Known>();
  const asked: Asked[] = [];
  let reading = false;
  let operatorHash: string | null = null;
  // A read that began before a revocation must not put the key back.
  let generation = 0;

  function recall(tokenHash: string): Principal | null {
    const known = remembered.get(tokenHash);
    if (known === undefined || known.goodUntil <= clock.now()) return null;
    known.usedAt = clock.now();
    return known.principal;
  }

  async function readAll(): Promise<void> {
    reading = true;
    // Who asks in the same turn goes along.
    await Promise.resolve();
    while (asked.length > 0) {
      const batch = asked.splice(0, readMax);
      try {
        await readBatch(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    reading = false;
  }

  async function readBatch(batch: readonly Asked[]): Promise<void> {
    const open = batch.filter(({ tokenHash, resolve }) => {
      const principal = recall(tokenHash);
      if (principal !== null) resolve(principal);
      return principal === null;
    });
    if (open.length === 0) return;
    const begun = generation;
    const begunAt = clock.now();
    const due = dueKeys(readMax - open.length);
    const prefixes = [...new Set([...open, ...due.values()].map(({ prefix }) => prefix))];
    const rows = await readKeys(prefixes);
    const find = (prefix: string, tokenHash: string) => judge(rows.get(prefix), prefix, tokenHash, begunAt);
    for (const [tokenHash, { prefix, usedAt }] of due) {
      const found = find(prefix, tokenHash);
      if (found === null) remembered.delete(tokenHash);
      else if (begun === generation) remember(tokenHash, { ...found, usedAt });
    }
    for (const { prefix, tokenHash, resolve } of open) {
      const found = find(prefix, tokenHash);
      if (found !== null && begun === generation) remember(tokenHash, { ...found, usedAt: clock.now() });
      resolve(found?.principal ?? null);
    }
  }

  /** Keys in use that are past half their time. */
  function dueKeys(max: number): Map<string, Known> {
    const now = clock.now();
    const due = new Map<string, Known>();
    for (const [tokenHash, known] of remembered) {
      if (due.size >= max) break;
      if (known.goodUntil - now <= cacheMs / 2 && now - known.usedAt < inUseMs) due.set(tokenHash, known);
    }
    return due;
  }

  async function readKeys(prefixes: readonly string[]) {
    const rows = await control.read({ kind: 'global' }, (tx) =>
      tx
        .selectFrom('api_keys')
        .select(['id', 'tenant_id', 'prefix', 'hash', 'scopes', 'expires_at', 'revoked_at'])
        .where('prefix', '=', sql<string>`any(${prefixes})`)
        .execute(),
    );
    return new Map(rows.map((row) => [row.prefix, row]));
  }

  /** What a row says of a token; null when it is unknown, revoked or expired, which all do the same work. */
  function judge(
    row: KeyRow | undefined,
    prefix: string,
    tokenHash: string,
    readAt: number,
  ): Omit<Known, 'usedAt'> | null {
    const matches = equalHashes(row?.hash ?? noHash, tokenHash);
    const expiresAt = row?.expires_at == null ? Number.POSITIVE_INFINITY : Date.parse(row.expires_at);
    if (row === undefined || !matches || row.revoked_at !== null || expiresAt <= clock.now()) return null;
    const principal: Principal = {
      role: 'tenant',
      id: `key:${row.id}`,
      tenantId: row.tenant_id,
      partnerId: null,
      scopes: row.scopes,
    };
    return { principal, prefix, keyId: row.id, goodUntil: Math.min(readAt + cacheMs, expiresAt) };
  }

  function remember(tokenHash: string, known: Known): void {
    remembered.delete(tokenHash);
    const oldest = remembered.size >= cacheEntriesMax ? remembered.keys().next().value : undefined;
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(tokenHash, known);
  }

  return {
    async authenticate(token) {
      const tokenHash = hashToken(token);
      if (operatorHash !== null && equalHashes(operatorHash, tokenHash)) {
        return { role: 'operator', id: 'operator', tenantId: null, partnerId: null, scopes: [] };
      }
      const prefix = prefixOf(token);
      if (prefix === null) return null;
      const known = recall(tokenHash);
      if (known !== null) return known;
      return new Promise((resolve, reject) => {
        asked.push({ prefix, tokenHash, resolve, reject });
        if (!reading) void readAll();
      });
    },
    setOperatorToken(token) {
      operatorHash = hashToken(token);
    },
    forget(keyId) {
      generation += 1;
      for (const [hash, known] of remembered) if (known.keyId === keyId) remembered.delete(hash);
    },
  };
}
