import { z } from 'zod';
import { defineQuery } from './define-query.ts';
import type { Store } from './port.ts';
import { type ClaimVerdict, contentHash, type EventClaim, identityMs } from './usage-identities.ts';

const standingEvents = defineQuery({
  file: new URL('./sql/standing-events.sql', import.meta.url),
  params: z.object({}),
  row: z.object({
    tenant: z.number(),
    source: z.string(),
    id: z.string(),
    type: z.string(),
    subject: z.string(),
    ms: z.coerce.number(),
    value: z.string(),
    attributes: z.string(),
    partition: z.number(),
    offset: z.coerce.number(),
  }),
});
type Standing = z.infer<typeof standingEvents.row>;

/** Older than this at its receipt an event may stand in the table although its identity is forgotten: only scope `backfill` sends such events. */
const oldestMs = 32 * 86_400_000;

const keyOf = (tenant: number, source: string, id: string) => JSON.stringify([tenant, source, id]);

function verdictOf({ event, partition, offset }: EventClaim, standing: readonly Standing[]): ClaimVerdict {
  if (standing.length === 0 || standing.some((row) => row.partition === partition && row.offset === offset)) {
    return 'first';
  }
  const hash = contentHash(event);
  const isSame = standing.some(({ ms, attributes, ...row }) => {
    const kept = z.record(z.string(), z.string()).parse(JSON.parse(attributes));
    const { source, id, type, subject, value } = row;
    const time = new Date(ms).toISOString();
    return hash.equals(contentHash({ ...event, source, id, type, subject, value, time, attributes: kept }));
  });
  return isSame ? 'duplicate' : 'conflict';
}

/**
 * Looks up in the table what the identities cannot know any more: events of scope `backfill`, and batches taken again after more than 33 days. What stands there is never stored twice nor replaced.
 *
 * *Shape* verdicts in the order of `events`; the table is asked only for first events of these kinds.
 */
export async function recallForgotten(
  store: Pick<Store, 'query'>,
  events: readonly EventClaim[],
  verdicts: readonly ClaimVerdict[],
  nowMs: number,
): Promise<readonly ClaimVerdict[]> {
  const isAsked = ({ event, receivedMs }: EventClaim, index: number) =>
    verdicts[index] === 'first' && (receivedMs - Date.parse(event.time) > oldestMs || receivedMs < nowMs - identityMs);
  const asked = events.filter(isAsked);
  if (asked.length === 0) return verdicts;
  const keys = {
    table: 'keys',
    rows: asked.length,
    columns: [
      { name: 'tenant', type: 'UInt32' as const, values: asked.map(({ tenant }) => tenant) },
      { name: 'source', type: 'String' as const, values: asked.map(({ event }) => event.source) },
      { name: 'id', type: 'String' as const, values: asked.map(({ event }) => event.id) },
    ],
  };
  const standing = Map.groupBy(await store.query(standingEvents, {}, { keys }), ({ tenant, source, id }) =>
    keyOf(tenant, source, id),
  );
  return events.map((claim, index) =>
    isAsked(claim, index)
      ? verdictOf(claim, standing.get(keyOf(claim.tenant, claim.event.source, claim.event.id)) ?? [])
      : (verdicts[index] ?? 'first'),
  );
}
