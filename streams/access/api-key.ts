import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { z } from 'zod';
import { ApiKey, AppError, type CreatedApiKey, type NewApiKey } from '../contract/index.ts';
import type { ControlTransaction } from '../control/port.ts';

/**
 * Hash under which a key is stored.
 *
 * A plain SHA-256, no slow password hash: the secret is 32 random bytes, so there is nothing to guess from a stolen hash, and ingest checks keys on its hot path.
 */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Compares two hexadecimal hashes in constant time. */
export function equalHashes(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left, 'hex'), Buffer.from(right, 'hex')];
  return a.length === b.length && timingSafeEqual(a, b);
}

const keyPattern = /^pk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

/** The public part of something that looks like a key; null when it cannot be one. */
export function prefixOf(token: string): string | null {
  return keyPattern.exec(token)?.[1] ?? null;
}

/** Makes a key: `pk_`, 6 random bytes to find it by, 32 random bytes that are the secret. */
export function generateKey(): { readonly apiKey: string; readonly prefix: string; readonly hash: string } {
  const prefix = randomBytes(6).toString('hex');
  const apiKey = `pk_${prefix}_${randomBytes(32).toString('base64url')}`;
  return { apiKey, prefix, hash: hashToken(apiKey) };
}

/** A row of `api_keys` without its hash. */
export function toApiKey(row: {
  id: string;
  tenant_id: string;
  name: string;
  prefix: string;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}): ApiKey {
  return ApiKey.parse({
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    prefix: row.prefix,
    scopes: row.scopes,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  });
}

/**
 * Adds a key to a tenant inside a mutation of the control plane, whose audit entry the caller writes (without `apiKey`).
 *
 * *Shape* the answer's `apiKey` is the only copy of the secret there will ever be.
 * *Errors* `control.invalid` for an unknown tenant.
 */
export async function createApiKey(
  tx: ControlTransaction,
  tenantId: string,
  request: NewApiKey,
): Promise<z.infer<typeof CreatedApiKey>> {
  const { apiKey, prefix, hash } = generateKey();
  const row = await tx
    .insertInto('api_keys')
    .values({
      id: randomUUID(),
      tenant_id: tenantId,
      name: request.name,
      prefix,
      hash,
      scopes: request.scopes,
      expires_at: request.expiresAt,
    })
    .returning(['id', 'tenant_id', 'name', 'prefix', 'scopes', 'created_at', 'expires_at', 'revoked_at'])
    .executeTakeFirst();
  if (row === undefined)
    throw new AppError('control.unavailable', 'the key was not stored', { status: 503, retryable: true });
  return { ...toApiKey(row), apiKey };
}
