import { type Kysely, sql } from 'kysely';
import { type AuditContent, chainStart, checkChain } from './audit-chain.ts';
import type { Control, ControlTransaction, RowScope } from './port.ts';
import type { ControlTables } from './tables.ts';

/** A record of the audit chain as the API shows it. */
export interface AuditRecord extends AuditContent {
  readonly hash: string;
}

/** Result of a check of the whole chain. *Shape* `records` = what the head says there are; `firstBroken` = the first sequence number that is altered or missing. */
export interface AuditVerification {
  readonly records: number;
  readonly ok: boolean;
  readonly firstBroken: number | null;
  /** Hash of the last record: note it outside of the database to be able to prove later that nothing before it was rewritten. */
  readonly headHash: string;
}

const pageRecords = 1000;

async function selectAfter(tx: ControlTransaction, after: string, limit: number): Promise<AuditRecord[]> {
  const rows = await tx
    .selectFrom('audit_log')
    .selectAll()
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map(toRecord);
}

function toRecord(row: {
  seq: string;
  at: string;
  actor: string;
  correlation_id: string;
  tenant_id: string | null;
  action: string;
  resource: string;
  detail: unknown;
  previous_hash: string;
  hash: string;
}): AuditRecord {
  return {
    seq: row.seq,
    at: row.at,
    actor: row.actor,
    correlationId: row.correlation_id,
    tenantId: row.tenant_id,
    action: row.action,
    resource: row.resource,
    detail: row.detail,
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}

/** Newest first; `before` is the sequence number of the last one seen. Row-level security narrows it to the scope. */
export function listAudit(
  control: Control,
  scope: RowScope,
  page: { readonly limit: number; readonly before: string | null },
): Promise<AuditRecord[]> {
  return control.read(scope, async (tx) => {
    let query = tx.selectFrom('audit_log').selectAll().orderBy('seq', 'desc').limit(page.limit);
    if (page.before !== null) query = query.where('seq', '<', page.before);
    return (await query.execute()).map(toRecord);
  });
}

/**
 * Recomputes the whole chain up to the head of the moment.
 *
 * *Bias* finds altered, inserted, reordered and deleted records, the last ones included (the head counts them). Does not find a rewrite of chain *and* head by
 * someone who owns the database: for that compare `headHash` with one noted elsewhere.
 */
export async function verifyAudit(control: Control): Promise<AuditVerification> {
  const head = await control.read({ kind: 'global' }, async (tx) => {
    const internal = tx as unknown as Kysely<ControlTables & { audit_head: { records: string; hash: string } }>;
    return internal.selectFrom('audit_head').select(['records', 'hash']).executeTakeFirst();
  });
  const beyond = await control.read({ kind: 'global' }, (tx) =>
    sql<{ orphans: string }>`SELECT count(*) AS orphans FROM audit_log WHERE seq < 1`.execute(tx),
  );
  if (head === undefined) return { records: 0, ok: false, firstBroken: 1, headHash: chainStart };
  const total = BigInt(head.records);
  const result = (firstBroken: bigint | null): AuditVerification => ({
    records: Number(total),
    ok: firstBroken === null,
    firstBroken: firstBroken === null ? null : Number(firstBroken),
    headHash: head.hash,
  });
  if (beyond.rows[0]?.orphans !== '0') return result(1n);
  let position = { seq: 0n, hash: chainStart };
  // Pages in transactions of their own: what is checked cannot change, and nobody waits for the whole of it.
  while (position.seq < total) {
    const after = position.seq;
    const page = await control.read({ kind: 'global' }, (tx) => selectAfter(tx, after.toString(), pageRecords));
    const upToHead = page.filter((record) => BigInt(record.seq) <= total);
    if (upToHead.length === 0) return result(after + 1n);
    const checked = checkChain(upToHead, position);
    if (checked.broken !== null) return result(BigInt(checked.broken));
    position = { seq: checked.seq, hash: checked.hash };
  }
  return result(position.hash === head.hash ? null : total);
}
