import { readFileSync } from 'node:fs';
import type { TenantDirectory } from 'streams/access';
import { AppError, type DeadLetter } from 'streams/contract';
import type { Actor, Control } from 'streams/control';
import { type Envelope, fromHeaders, type Log, toHeaders } from 'streams/log';
import type { Clock } from 'streams/runtime';
import { defineQuery, type Store, storeGroup } from 'streams/store';
import { z } from 'zod';

const position = z.object({ partition: z.int(), offset: z.int() });
const letterQuery = defineQuery({
  file: new URL('./sql/letter.sql', import.meta.url),
  params: position,
  row: z.object({
    tenant: z.number(),
    atMs: z.coerce.number(),
    code: z.string(),
    detail: z.string(),
    envelope: z.string(),
    payload: z.string(),
    payloadBytes: z.coerce.number(),
  }),
});
const replayQuery = defineQuery({
  file: new URL('./sql/replay-of.sql', import.meta.url),
  params: position,
  row: z.object({
    offset: z.coerce.number(),
    atMs: z.coerce.number(),
    by: z.string(),
    searchedFrom: z.coerce.number(),
    newOffset: z.coerce.number().nullable(),
  }),
});
const markReplay = readFileSync(new URL('./sql/mark-replay.sql', import.meta.url), 'utf8');

/** Codes of records that were set aside before their counts reached the ledger. */
const uncounted: ReadonlySet<string> = new Set([
  'log.envelope_invalid',
  'store.envelope_invalid',
  'store.tenant_mismatch',
]);

type Position = z.infer<typeof position>;
type Replay = z.infer<typeof replayQuery.row>;

export interface DeadLettersDeps {
  readonly store: Pick<Store, 'query' | 'execute'>;
  readonly log: Pick<Log, 'append' | 'read' | 'offsets' | 'committed'>;
  readonly control: Pick<Control, 'mutate'>;
  readonly tenants: Pick<TenantDirectory, 'byNumber'>;
  readonly clock: Clock;
}

/** Records that could not be stored: looked at with their bytes, and put on the log again. */
export interface DeadLetters {
  /** *Errors* `dead_letters.unknown` (404). */
  read(id: string): Promise<DeadLetter>;
  /**
   * Appends the record to the log again, under the counts that the ledger still lacks. A letter is replayed once: a second call answers the first one's outcome,
   * a letter whose replay failed again is replayed by the new letter that it made.
   *
   * *Errors* `dead_letters.unknown` (404), `dead_letters.no_tenant` (409: no log partition is known for it), `log.unavailable` (503).
   */
  replay(id: string, actor: Actor): Promise<DeadLetter>;
}

export function createDeadLetters(deps: DeadLettersDeps): DeadLetters {
  const { store, log, control, tenants, clock } = deps;
  /** Two calls for one letter at the same time would append it twice. */
  const running = new Map<string, Promise<void>>();

  async function letterAt(at: Position) {
    return (await store.query(letterQuery, at))[0];
  }

  async function outcomeOf(at: Position, replay: Replay | undefined): Promise<DeadLetter['replay']> {
    if (replay === undefined) return null;
    const { newOffset } = replay;
    const shared = { at: new Date(replay.atMs).toISOString(), by: replay.by };
    const committed = (await log.committed('telemetry', storeGroup)).find(
      ({ partition }) => partition === at.partition,
    );
    if (newOffset === null || (committed?.next ?? 0) <= newOffset)
      return { ...shared, outcome: 'pending', newLetter: null };
    const again = await letterAt({ partition: at.partition, offset: newOffset });
    if (again === undefined) return { ...shared, outcome: 'stored', newLetter: null };
    return { ...shared, outcome: 'failed', newLetter: nameOf({ partition: at.partition, offset: newOffset }) };
  }

  async function read(id: string): Promise<DeadLetter> {
    const at = positionOf(id);
    const letter = await letterAt(at);
    if (letter === undefined)
      throw new AppError('dead_letters.unknown', `there is no dead letter ${id}`, { status: 404, field: 'letter' });
    const replays = await store.query(replayQuery, at);
    const origin = replays.find(({ newOffset }) => newOffset === at.offset);
    const { tenant, atMs, code, detail, envelope, payload, payloadBytes } = letter;
    return {
      id,
      tenant: tenants.byNumber(tenant)?.id ?? null,
      at: new Date(atMs).toISOString(),
      topic: 'telemetry',
      partition: at.partition,
      offset: String(at.offset),
      code,
      detail,
      envelope,
      payload,
      payloadBytes,
      replay: await outcomeOf(
        at,
        replays.find(({ offset }) => offset === at.offset),
      ),
      replayOf: origin === undefined ? null : nameOf({ partition: at.partition, offset: origin.offset }),
    };
  }

  async function note(
    letter: DeadLetter,
    replay: { atMs: number; by: string; searchedFrom: number; newOffset: number | null },
  ) {
    const number = envelopeOf(letter)?.tenantNumber ?? 0;
    await store.execute(markReplay, {
      tenant: number,
      partition: letter.partition,
      offset: letter.offset,
      atMs: replay.atMs,
      by: replay.by,
      searchedFrom: replay.searchedFrom,
      newOffset: replay.newOffset ?? -1,
      version: clock.now() * 2 + (replay.newOffset === null ? 0 : 1),
    });
  }

  /** The record of an earlier attempt that was interrupted between appending and noting it. */
  async function appended(at: Position, from: number, batch: string): Promise<number | null> {
    const next = (await log.offsets('telemetry')).find(({ partition }) => partition === at.partition)?.next ?? 0;
    for await (const record of log.read('telemetry', at.partition, from, next))
      if (record.headers['pulse']?.includes(`"batch":${JSON.stringify(batch)}`)) return record.offset;
    return null;
  }

  async function append(id: string, actor: Actor): Promise<void> {
    const at = positionOf(id);
    const letter = await read(id);
    const envelope = envelopeOf(letter);
    if (envelope === null)
      throw new AppError(
        'dead_letters.no_tenant',
        'the envelope of this letter names no tenant: it cannot be put on the log again',
        { status: 409, field: 'letter' },
      );
    const [before] = (await store.query(replayQuery, at)).filter(({ offset }) => offset === at.offset);
    if (before !== undefined && before.newOffset !== null) return;
    const batch = `replay-of-${id}`;
    const ends = await log.offsets('telemetry');
    const replay = {
      atMs: before?.atMs ?? clock.now(),
      by: before?.by ?? actor.id,
      searchedFrom: before?.searchedFrom ?? ends.find(({ partition }) => partition === at.partition)?.next ?? 0,
    };
    await control.mutate(actor, { kind: 'global' }, async () => ({
      result: null,
      audit: {
        action: 'dead_letter.replay',
        resource: `dead_letter:${id}`,
        tenantId: letter.tenant,
        after: { code: letter.code, payloadBytes: letter.payloadBytes },
      },
    }));
    await note(letter, { ...replay, newOffset: null });
    let newOffset = before === undefined ? null : await appended(at, replay.searchedFrom, batch);
    if (newOffset === null) {
      // What the envelope counted is in the ledger already, unless the envelope itself was not to be read.
      const counts = uncounted.has(letter.code) ? envelope.counts : [];
      const headers = toHeaders({ ...envelope, batch, part: 0, parts: 1, counts });
      const message = { key: envelope.tenant, headers, payload: Buffer.from(letter.payload, 'base64') };
      const [stands] = await log.append('telemetry', [message]);
      newOffset = stands?.offset ?? null;
    }
    await note(letter, { ...replay, newOffset });
  }

  return {
    read,
    async replay(id, actor) {
      const own = running.get(id) ?? append(id, actor).finally(() => running.delete(id));
      running.set(id, own);
      await own;
      return read(id);
    },
  };
}

function positionOf(id: string): Position {
  const [, partition, offset] = /^telemetry-(\d+)-(\d+)$/.exec(id) ?? [];
  if (partition === undefined || offset === undefined)
    throw new AppError('dead_letters.unknown', `${id} names no dead letter`, { status: 404, field: 'letter' });
  return { partition: Number(partition), offset: Number(offset) };
}

const nameOf = ({ partition, offset }: Position) => `telemetry-${partition}-${offset}`;

function envelopeOf(letter: DeadLetter): Envelope | null {
  try {
    return fromHeaders({ pulse: letter.envelope });
  } catch {
    return null;
  }
}
