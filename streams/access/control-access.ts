import type { Control } from '../control/port.ts';
import type { Clock } from '../runtime/clock.ts';
import { equalHashes, hashToken, prefixOf } from './api-key.ts';
import type { Access, Principal } from './port.ts';

/** How long a key that was good stays so without a look at the control plane: the bound on a revocation made by another process. */
const cacheMs = 5_000;
const cacheEntriesMax = 10_000;
const noHash = '0'.repeat(64);

interface Known {
  readonly principal: Principal;
  readonly keyId: string;
  readonly goodUntil: number;
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
 * *Errors* `control.unavailable` (retryable) when a key is not remembered and the database is away: never taken for "unknown".
 * *Bias* a key revoked by another process works up to 5 s longer; one revoked here stops at once.
 */
export function createControlAccess(deps: { readonly control: Control; readonly clock: Clock }): ControlAccess {
  const { control, clock } = deps;
  const remembered = new Map<string, Known>();
  const pending = new Map<string, Promise<Principal | null>>();
  let operatorHash: string | null = null;
  // A lookup that began before a revocation must not put the key back.
  let generation = 0;

  async function lookUp(prefix: string, tokenHash: string): Promise<Principal | null> {
    const begun = generation;
    const row = await control.read({ kind: 'global' }, (tx) =>
      tx
        .selectFrom('api_keys')
        .select(['id', 'tenant_id', 'hash', 'scopes', 'expires_at', 'revoked_at'])
        .where('prefix', '=', prefix)
        .executeTakeFirst(),
    );
    // Unknown, revoked and expired do the same work.
    const matches = equalHashes(row?.hash ?? noHash, tokenHash);
    const now = clock.now();
    const expiresAt = row?.expires_at == null ? Number.POSITIVE_INFINITY : Date.parse(row.expires_at);
    if (row === undefined || !matches || row.revoked_at !== null || expiresAt <= now) return null;
    const principal: Principal = {
      role: 'tenant',
      id: `key:${row.id}`,
      tenantId: row.tenant_id,
      partnerId: null,
      scopes: row.scopes,
    };
    if (begun === generation)
      remember(tokenHash, { principal, keyId: row.id, goodUntil: Math.min(now + cacheMs, expiresAt) });
    return principal;
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
      const known = remembered.get(tokenHash);
      if (known !== undefined && known.goodUntil > clock.now()) return known.principal;
      const shared = `${generation}:${tokenHash}`;
      const current = pending.get(shared) ?? lookUp(prefix, tokenHash).finally(() => pending.delete(shared));
      pending.set(shared, current);
      return current;
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
