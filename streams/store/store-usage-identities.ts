import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { defineQuery } from './define-query.ts';
import type { Store } from './port.ts';
import {
  type ClaimVerdict,
  contentHash,
  type EventClaim,
  type EventPosition,
  identityKey,
  type UsageIdentities,
} from './usage-identities.ts';

const heldIdentities = defineQuery({
  file: new URL('./sql/held-identities.sql', import.meta.url),
  params: z.object({}),
  row: z.object({
    tenant: z.number(),
    id: z.string(),
    partition: z.number(),
    offset: z.coerce.number(),
    position: z.number(),
    hash: z.string(),
  }),
});

interface Held extends EventPosition {
  readonly hash: string;
}

/**
 * Identities of usage events in the store: for a log that several processes consume, where the next owner of a partition has to know what the one before it has decided.
 *
 * *Bias* two consumers that decide the same range, one of them given up by the group, decide alike: the position on the log decides.
 */
export function createStoreUsageIdentities(store: Pick<Store, 'query' | 'insert'>): UsageIdentities {
  return {
    async claim(events) {
      if (events.length === 0) return [];
      const known = events.map((claim) => {
        const identity = identityKey(claim);
        return { claim, identity, name: `${claim.tenant}/${identity.toString('hex')}` };
      });
      const asked = [...new Map(known.map((item) => [item.name, item])).values()];
      const keys = {
        table: 'keys',
        rows: asked.length,
        columns: [
          { name: 'tenant', type: 'UInt32', values: asked.map(({ claim }) => claim.tenant) },
          { name: 'identity', type: 'FixedString(16)', values: asked.map(({ identity }) => identity) },
        ],
      };
      const held = new Map<string, Held>();
      for (const { tenant, id, position, ...row } of await store.query(heldIdentities, {}, { keys }))
        held.set(`${tenant}/${id}`, { ...row, index: position });
      const fresh: { readonly claim: EventClaim; readonly identity: Buffer; readonly content: Buffer }[] = [];
      const verdicts = known.map(({ claim, identity, name }): ClaimVerdict => {
        const content = contentHash(claim.event);
        const hash = content.toString('hex');
        const before = held.get(name);
        if (before === undefined) {
          const { partition, offset, index } = claim;
          held.set(name, { partition, offset, index, hash });
          fresh.push({ claim, identity, content });
          return 'first';
        }
        const same =
          before.partition === claim.partition && before.offset === claim.offset && before.index === claim.index;
        if (same) return 'first';
        return before.hash === hash ? 'duplicate' : 'conflict';
      });
      if (fresh.length > 0) await store.insert(toBlock(fresh), `identities-${randomUUID()}`);
      return verdicts;
    },
    // The table forgets by itself.
    prune: () => 0,
    close: async () => undefined,
  };
}

function toBlock(rows: readonly { readonly claim: EventClaim; readonly identity: Buffer; readonly content: Buffer }[]) {
  const column = (name: string, type: string, of: (row: (typeof rows)[number]) => unknown) => ({
    name,
    type,
    values: rows.map(of),
  });
  return {
    table: 'usage_identities',
    rows: rows.length,
    columns: [
      column('tenant', 'UInt32', ({ claim }) => claim.tenant),
      column('identity', 'FixedString(16)', ({ identity }) => identity),
      column('content', 'FixedString(16)', ({ content }) => content),
      column('received', "DateTime('UTC')", ({ claim }) => Math.floor(claim.receivedMs / 1000)),
      column('partition', 'UInt16', ({ claim }) => claim.partition),
      column('offset', 'UInt64', ({ claim }) => BigInt(claim.offset)),
      column('position', 'UInt32', ({ claim }) => claim.index),
    ],
  };
}
