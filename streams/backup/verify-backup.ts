import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import { verifyAudit } from '../control/audit.ts';
import { createControl } from '../control/kysely-control.ts';
import { systemClock } from '../runtime/clock.ts';
import { createChdbStore } from '../store/chdb-store.ts';
import { noParams } from '../store/define-query.ts';
import { readLedger } from '../store/ledger.ts';
import type { Store } from '../store/port.ts';
import { damaged, type Manifest } from './manifest.ts';

/** What a trial restore found. */
export const Verification = z.strictObject({
  tables: z.int(),
  rows: z.int(),
  auditRecords: z.int(),
  /** Hours of the conservation ledger that were held against the restored tables. */
  ledgerHours: z.int(),
  /** Of these, hours that do not add up: they did not when the backup was taken either, as every file is what it was. */
  unbalancedHours: z.int(),
});
export type Verification = z.infer<typeof Verification>;

const limits = { timeoutSeconds: 600, maxMemoryBytes: 400 * 1024 * 1024 };
const counted = z.object({ rows: z.coerce.number() });
const range = z.object({ first: z.coerce.number(), last: z.coerce.number() });
const adHoc = <R>(name: string, sql: string, row: z.ZodType<R>) => ({ name, sql, params: noParams as never, row });
/** Hours that one reading of the ledger spans. */
const sliceSeconds = 10 * 86_400;

/**
 * Opens what a restore has made with real engines and holds it against the manifest.
 *
 * *Errors* `backup.damaged` when rows, parts or the audit chain are not what they were; those of the engines.
 */
export async function verifyRestored(dataDir: string, manifest: Manifest): Promise<Verification> {
  const logger = pino({ level: 'silent' });
  const store = createChdbStore({ dir: join(dataDir, 'store'), connections: 2, logger, clock: systemClock });
  await store.start();
  let tables: Omit<Verification, 'auditRecords'>;
  try {
    tables = { ...(await verifyTables(store, manifest)), ...(await reconcile(store)) };
  } finally {
    await store.stop();
  }
  const control = createControl({ connection: { kind: 'pglite', dir: join(dataDir, 'control') }, logger });
  await control.start();
  try {
    const audit = await verifyAudit(control);
    const wanted = manifest.control.audit;
    if (!audit.ok || audit.records !== wanted.records || audit.headHash !== wanted.headHash)
      throw damaged('the audit chain of the restored control plane is not the one that was backed up', { ...audit });
    return { ...tables, auditRecords: audit.records };
  } finally {
    await control.stop();
  }
}

async function verifyTables(store: Store, manifest: Manifest): Promise<{ tables: number; rows: number }> {
  let rows = 0;
  const aside = 'SELECT count() AS rows FROM system.detached_parts WHERE database = currentDatabase()';
  const [broken] = await store.query(adHoc('parts-set-aside', aside, counted), {}, limits);
  if (broken?.rows !== 0) throw damaged(`the engine set ${broken?.rows} parts aside as broken`);
  for (const table of manifest.store.tables) {
    // Reads every part against its checksums; what it finds wrong it answers as a row.
    const check = adHoc(
      'check-table',
      `CHECK TABLE \`${table.name}\``,
      z.looseObject({ is_passed: z.coerce.number() }),
    );
    const wrong = (await store.query(check, {}, limits)).filter((part) => part.is_passed !== 1);
    if (wrong.length > 0) throw damaged(`${wrong.length} parts of table ${table.name} do not pass the engine's check`);
    const [found] = await store.query(
      adHoc('count-table', `SELECT count() AS rows FROM \`${table.name}\``, counted),
      {},
      limits,
    );
    // Merges take repeats away meanwhile; nothing adds rows but the migrations of a newer version.
    if (table.name !== 'schema_migrations' && (found?.rows ?? 0) > table.rows)
      throw damaged(`table ${table.name} has ${found?.rows} rows instead of ${table.rows}`);
    rows += found?.rows ?? 0;
  }
  return { tables: manifest.store.tables.length, rows };
}

async function reconcile(store: Store): Promise<{ ledgerHours: number; unbalancedHours: number }> {
  const sql = 'SELECT toUnixTimestamp(min(bucket)) AS first, toUnixTimestamp(max(bucket)) AS last FROM touched';
  const [span] = await store.query(adHoc('ledger-span', sql, range), {}, limits);
  let [ledgerHours, unbalancedHours] = [0, 0];
  if (span === undefined || span.last === 0) return { ledgerHours, unbalancedHours };
  for (let fromHour = span.first; fromHour <= span.last; fromHour += sliceSeconds) {
    const toHour = Math.min(fromHour + sliceSeconds, span.last + 3600);
    for (const row of await readLedger(store, { fromHour, toHour })) {
      ledgerHours += 1;
      const isBalanced = row.accepted === row.logged && row.logged - row.duplicates === row.stored;
      if (!isBalanced) unbalancedHours += 1;
    }
  }
  return { ledgerHours, unbalancedHours };
}

const answer = z.union([
  z.strictObject({ verification: Verification }),
  z.strictObject({ error: z.strictObject({ code: z.string(), detail: z.string() }) }),
]);

/**
 * Restores a backup for trial, in a process of its own and a directory that goes afterwards, and verifies what came out.
 *
 * *Errors* `backup.not_verified` with the reason.
 */
export async function verifyBackup(options: {
  readonly backup: string;
  /** Where the trial is made; a place with as much room as the backup takes. */
  readonly scratch: string;
  /** An empty control plane to begin with; tests have one at hand. */
  readonly controlTemplate?: string;
  readonly signal?: AbortSignal;
}): Promise<Verification> {
  await mkdir(options.scratch, { recursive: true });
  const scratch = await mkdtemp(join(options.scratch, 'trial-'));
  try {
    const output = await runTrial(options, scratch);
    const parsed = answer.safeParse(parseJson(output));
    if (!parsed.success) throw notVerified(`the trial ended without an answer: ${output.slice(-300)}`);
    if ('error' in parsed.data) throw notVerified(parsed.data.error.detail, parsed.data.error.code);
    return parsed.data.verification;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const notVerified = (detail: string, code = 'backup.damaged') =>
  new AppError('backup.not_verified', `the backup cannot be restored: ${detail} [${code}]`, {
    status: 500,
    context: { code },
  });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.trim().split('\n').at(-1) ?? '');
  } catch {
    return null;
  }
}

function runTrial(options: Parameters<typeof verifyBackup>[0], scratch: string): Promise<string> {
  const program = join(import.meta.dirname, 'trial-restore.ts');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, options.backup, scratch, options.controlTemplate ?? ''], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' }),
    });
    let text = '';
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString('utf8')).slice(-2000);
    });
    child.once('error', reject);
    child.once('close', () => resolve(text === '' ? complaint : text));
  });
}
