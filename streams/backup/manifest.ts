import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';

/** Format of a backup's directory. A newer one is refused, an older one is read. */
export const backupFormat = 1;
export const manifestName = 'manifest.json';

const count = z.int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const position = z.strictObject({ partition: count, next: count });

/** What a backup holds, and how to tell that it is whole. */
export const Manifest = z.strictObject({
  format: z.int().min(1),
  /** Version of Pulse that wrote it. */
  product: z.string(),
  /** When the cut was made: everything in it is as of then. */
  takenAt: z.iso.datetime(),
  /** Everything that the log holds below these positions is in the tables, and nothing beyond. */
  knownAt: z.array(position),
  log: z.strictObject({
    epoch: z.string(),
    topics: z.array(
      z.strictObject({ topic: z.string(), partitions: z.array(z.strictObject({ partition: count, next: count })) }),
    ),
    groups: z.array(z.strictObject({ topic: z.string(), group: z.string(), positions: z.array(position) })),
  }),
  store: z.strictObject({
    /** Folder of the engine with the definitions of the tables. */
    databasePath: z.string(),
    tables: z.array(z.strictObject({ name: z.string(), path: z.string(), parts: count, rows: count })),
  }),
  control: z.strictObject({
    migrations: z.array(z.strictObject({ name: z.string(), checksum: hash })),
    tables: z.array(z.strictObject({ name: z.string(), rows: count, sha256: hash })),
    sequences: z.array(z.strictObject({ name: z.string(), last: z.string().regex(/^\d+$/) })),
    audit: z.strictObject({ records: count, headHash: z.string() }),
  }),
  files: z.strictObject({ count, bytes: count, sha256: hash }),
});
export type Manifest = z.infer<typeof Manifest>;

/** A file of a backup: its path below the backup, and what it must be. */
export interface BackupFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export const filesName = 'files.ndjson';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export const damaged = (what: string, context: Record<string, unknown> = {}, cause?: unknown) =>
  new AppError('backup.damaged', `the backup is damaged: ${what}`, { status: 409, context, cause });

/** Text of the list of files; its hash stands in the manifest. */
export function encodeFiles(files: readonly BackupFile[]): {
  readonly text: string;
  readonly entry: Manifest['files'];
} {
  const text = files.map((file) => `${JSON.stringify(file)}\n`).join('');
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { text, entry: { count: files.length, bytes, sha256: sha256(text) } };
}

export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  const body = JSON.stringify(manifest, null, 2);
  await writeFile(join(directory, manifestName), `${JSON.stringify({ sha256: sha256(body), manifest: body })}\n`);
}

/**
 * Reads and checks a backup's manifest and list of files.
 *
 * *Errors* `backup.not_found`, `backup.damaged`, `backup.newer_format`.
 */
export async function readBackup(directory: string): Promise<{ manifest: Manifest; files: BackupFile[] }> {
  const text = await readFile(join(directory, manifestName), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new AppError('backup.not_found', `${directory} holds no backup: it has no ${manifestName}`, {
      status: 404,
      field: 'from',
      cause,
    });
  });
  const manifest = parseManifest(text);
  const list = await readFile(join(directory, filesName), 'utf8').catch((cause: unknown) => {
    throw damaged(`${filesName} cannot be read`, {}, cause);
  });
  if (sha256(list) !== manifest.files.sha256) throw damaged(`${filesName} is not the list that the manifest names`);
  const files = list
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BackupFile);
  return { manifest, files };
}

export function parseManifest(text: string): Manifest {
  let outer: { sha256?: unknown; manifest?: unknown };
  let body: unknown;
  try {
    outer = JSON.parse(text) as typeof outer;
    body = JSON.parse(String(outer.manifest));
  } catch (cause) {
    throw damaged('the manifest is not JSON', {}, cause);
  }
  if (sha256(String(outer.manifest)) !== outer.sha256) throw damaged('the manifest does not have its own hash');
  const { format } = z.looseObject({ format: z.number().catch(0) }).parse(body);
  if (format > backupFormat)
    throw new AppError(
      'backup.newer_format',
      `the backup has format ${format}, this version of Pulse reads up to ${backupFormat}: restore it with the version that wrote it`,
      { status: 409, context: { format } },
    );
  const parsed = Manifest.safeParse(body);
  if (!parsed.success) throw damaged(`the manifest is not complete: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
