import { createHash } from 'node:crypto';
import type { AuditEntry } from './port.ts';

/** What a record's hash covers, in full. *Units* `seq` decimal string from 1; `at` ISO 8601 UTC with milliseconds. */
export interface AuditContent {
  readonly seq: string;
  readonly at: string;
  readonly actor: string;
  readonly correlationId: string;
  readonly tenantId: string | null;
  readonly action: string;
  readonly resource: string;
  readonly detail: unknown;
  readonly previousHash: string;
}

/** Previous hash of the first record. */
export const chainStart = '0'.repeat(64);

/** JSON with sorted keys and no white space, so that one value has one text. *Source* the idea of RFC 8785, for values that came through JSON already. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}

/** SHA-256 over the canonical JSON of a record, hexadecimal. */
export function auditHash(content: AuditContent): string {
  const { seq, at, actor, correlationId, tenantId, action, resource, detail, previousHash } = content;
  return createHash('sha256')
    .update(canonicalJson({ seq, at, actor, correlationId, tenantId, action, resource, detail, previousHash }))
    .digest('hex');
}

/** The stored `detail` of an entry: before and after as plain JSON, what JSON cannot say dropped. */
export function auditDetail(entry: AuditEntry): { before?: unknown; after?: unknown } {
  return JSON.parse(JSON.stringify({ before: entry.before, after: entry.after }));
}

/**
 * Checks a run of records that follow on from `previous`.
 *
 * *Shape* returns the first sequence number that is altered, missing or out of order, or null and the hash to go on from.
 */
export function checkChain(
  records: readonly (AuditContent & { readonly hash: string })[],
  previous: { readonly seq: bigint; readonly hash: string },
): { readonly broken: string | null; readonly seq: bigint; readonly hash: string } {
  let { seq, hash } = previous;
  for (const record of records) {
    const expected = seq + 1n;
    if (BigInt(record.seq) !== expected) return { broken: expected.toString(), seq, hash };
    if (record.previousHash !== hash || auditHash(record) !== record.hash) return { broken: record.seq, seq, hash };
    seq = expected;
    hash = record.hash;
  }
  return { broken: null, seq, hash };
}
