import { z } from 'zod';
import { TenantId } from './tenant.ts';

/** How a replay or a backup stands. `interrupted`: its process ended; nothing goes on by itself. */
export const RunState = z.literal(['running', 'done', 'failed', 'cancelled', 'interrupted']);

const RunFailure = z.object({ code: z.string(), detail: z.string() });
const run = {
  id: z.string(),
  state: RunState,
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  error: RunFailure.nullable(),
};

/** What to rebuild from the log. `from` and `to` are UTC hours of occurred-at, half-open. */
export const NewReplay = z.strictObject({
  from: z.string(),
  to: z.string(),
  tenant: TenantId.optional(),
  into: z.literal(['shadow', 'live']).default('shadow'),
  /** Further cut-offs to compare facts at, such as the `knownAt` of an invoice. */
  knownAt: z.array(z.string()).max(20).default([]),
});

const TableDay = z.object({
  table: z.string(),
  day: z.string(),
  live: z.number(),
  rebuilt: z.number(),
  isEqual: z.boolean(),
});

export const ReplayProgress = z.object({
  phase: z.literal(['planning', 'taking', 'comparing', 'swapping', 'done']),
  batches: z.number(),
  batchesDone: z.number(),
  records: z.number(),
});

/** A replay as `GET /api/v1/replays/{id}` shows it. */
export const ReplayRun = z.object({
  ...run,
  request: NewReplay,
  progress: ReplayProgress,
  /** Null until it is done. */
  report: z
    .object({
      /** What was rebuilt: the asked hours and one on either side. */
      from: z.string(),
      to: z.string(),
      isIdentical: z.boolean(),
      days: z.array(TableDay),
      differences: z.array(
        z.object({ table: z.string(), onlyLive: z.number().nullable(), onlyRebuilt: z.number().nullable() }),
      ),
      knownAts: z.array(z.object({ knownAt: z.string(), days: z.array(TableDay) })),
      missingSeries: z.number(),
      swapped: z.array(z.string()),
      batches: z.number(),
      records: z.number(),
      knownAt: z.string(),
      heldSeconds: z.number(),
      seconds: z.number(),
    })
    .nullable(),
});
export type ReplayRun = z.infer<typeof ReplayRun>;

/** A backup as `GET /api/v1/backups` lists it. */
export const BackupRun = z.object({
  ...run,
  directory: z.string(),
  bytes: z.number().nullable(),
  /** Position in the log up to which it holds everything. */
  knownAt: z.string().nullable(),
  /** When a trial restore found it whole; null: it was not tried or failed. */
  verifiedAt: z.string().nullable(),
  heldSeconds: z.number().nullable(),
});
export type BackupRun = z.infer<typeof BackupRun>;

/** `GET /api/v1/backups`: newest first. */
export const BackupList = z.object({
  items: z.array(BackupRun),
  nextCursor: z.string().nullable(),
  lastVerifiedBackup: BackupRun.nullable(),
});
