import { AppError, type DomainEventDraft } from '../contract/index.ts';
import type { Actor, Control } from '../control/port.ts';

export type RunKind = 'replay' | 'backup';
export type RunEnd = 'done' | 'failed' | 'cancelled' | 'interrupted';

/** A replay or a backup as it is kept. `document` holds what its kind says. */
export interface StoredRun<Document> {
  readonly id: string;
  readonly state: 'running' | RunEnd;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly document: Document;
}

/** Runs of one kind in the control plane: one at a time, each start and end in the audit chain. */
export interface RunStore<Document> {
  /** *Errors* `maintenance.running` (409) while another of the kind runs. */
  begin(actor: Actor, run: { readonly id: string; readonly at: number; readonly document: Document }): Promise<void>;
  end(
    actor: Actor,
    run: { readonly id: string; readonly at: number; readonly state: RunEnd; readonly document: Document },
    events?: readonly DomainEventDraft[],
  ): Promise<void>;
  /** Newest first. */
  list(limit: number): Promise<StoredRun<Document>[]>;
  find(id: string): Promise<StoredRun<Document> | null>;
}

const columns = ['id', 'state', 'started_at', 'finished_at', 'document'] as const;
const iso = (ms: number) => new Date(ms).toISOString();

export function createRunStore<Document extends object>(control: Control, kind: RunKind): RunStore<Document> {
  const toRun = (row: {
    id: string;
    state: string;
    started_at: string;
    finished_at: string | null;
    document: unknown;
  }): StoredRun<Document> => ({
    id: row.id,
    state: row.state as StoredRun<Document>['state'],
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    document: row.document as Document,
  });
  return {
    async begin(actor, { id, at, document }) {
      try {
        await control.mutate(actor, { kind: 'global' }, async (tx) => {
          await tx
            .insertInto('maintenance_runs')
            .values({ id, kind, state: 'running', started_at: iso(at), document: JSON.stringify(document) })
            .execute();
          return {
            result: null,
            audit: { action: `${kind}.start`, resource: `${kind}/${id}`, tenantId: null, after: document },
          };
        });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'control.conflict') throw error;
        throw new AppError('maintenance.running', `another ${kind} is running: one at a time`, {
          status: 409,
          cause: error,
        });
      }
    },
    async end(actor, { id, at, state, document }, events = []) {
      await control.mutate(actor, { kind: 'global' }, async (tx) => {
        await tx
          .updateTable('maintenance_runs')
          .set({ state, finished_at: iso(at), document: JSON.stringify(document) })
          .where('id', '=', id)
          .where('kind', '=', kind)
          .execute();
        const audit = { action: `${kind}.${state}`, resource: `${kind}/${id}`, tenantId: null };
        return { result: null, audit, events };
      });
    },
    async list(limit) {
      const rows = await control.read({ kind: 'global' }, (tx) =>
        tx
          .selectFrom('maintenance_runs')
          .select(columns)
          .where('kind', '=', kind)
          .orderBy('started_at', 'desc')
          .orderBy('id', 'desc')
          .limit(limit)
          .execute(),
      );
      return rows.map(toRun);
    },
    async find(id) {
      const row = await control.read({ kind: 'global' }, (tx) =>
        tx
          .selectFrom('maintenance_runs')
          .select(columns)
          .where('id', '=', id)
          .where('kind', '=', kind)
          .executeTakeFirst(),
      );
      return row === undefined ? null : toRun(row);
    },
  };
}
