import { createHash } from 'node:crypto';
import { open, type RootDatabase } from 'lmdb';
import type { UsageEvent } from '../contract/index.ts';
import { scaledDecimal } from './native-block.ts';

/** How long an identity is kept after its event was received. */
export const identityMs = 33 * 86_400_000;

/** Where an event stands in the log: the same event read again is no duplicate. */
export interface EventPosition {
  readonly partition: number;
  readonly offset: number;
  /** Index within the record's array. */
  readonly index: number;
}

export interface EventClaim extends EventPosition {
  readonly tenant: number;
  readonly receivedMs: number;
  readonly retentionDays: number;
  readonly event: UsageEvent;
}

/** `first`: stored under its identity; `duplicate`: came before with the same content; `conflict`: came before with other content, the first one stands. */
export type ClaimVerdict = 'first' | 'duplicate' | 'conflict';

export interface UsageIdentities {
  /** Decides each event and makes the decisions durable before it answers. Asking again with the same positions gives the same verdicts. */
  claim(events: readonly EventClaim[]): ClaimVerdict[] | Promise<ClaimVerdict[]>;
  /** Forgets at most `limit` identities received before `beforeMs`; answers how many. */
  prune(beforeMs: number, limit: number): number | Promise<number>;
  close(): Promise<void>;
}

/** Identities in files of this process, for a log that nobody else consumes: they answer at once. */
export interface LocalUsageIdentities extends UsageIdentities {
  claim(events: readonly EventClaim[]): ClaimVerdict[];
  prune(beforeMs: number, limit: number): number;
}

/*
 * identity → position:  key   16 bytes of SHA-256 over (tenant, source, id)
 *                       value partition UInt32, offset UInt64, index UInt32, received seconds UInt32, 16 bytes of the content's SHA-256
 * by received:          key   'r', received seconds UInt32 big-endian, identity
 */
const valueSize = 36;

/** 128 bits that name an event: its tenant, source and id. */
export function identityKey(claim: EventClaim): Buffer {
  const { source, id } = claim.event;
  return createHash('sha256')
    .update(JSON.stringify([claim.tenant, source, id]))
    .digest()
    .subarray(0, 16);
}

/** 128 bits over what makes an event the same event: value as a decimal, time unless it is that of receipt, attributes in any order. */
export function contentHash(event: UsageEvent): Buffer {
  const attributes = Object.entries(event.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const value = scaledDecimal(event.value, 12).toString();
  // Without a time of its own an event sent again has another time of receipt and is the same event all the same.
  const time = event.timeOfReceipt === true ? null : event.time;
  const content = JSON.stringify([event.type, event.subject, time, value, attributes]);
  return createHash('sha256').update(content).digest().subarray(0, 16);
}

function encode(claim: EventClaim, hash: Buffer): Buffer {
  const value = Buffer.alloc(valueSize);
  value.writeUInt32LE(claim.partition, 0);
  value.writeBigUInt64LE(BigInt(claim.offset), 4);
  value.writeUInt32LE(claim.index, 12);
  value.writeUInt32LE(Math.floor(claim.receivedMs / 1000), 16);
  hash.copy(value, 20);
  return value;
}

function receivedKey(seconds: number, identity: Buffer): Buffer {
  const key = Buffer.alloc(5 + identity.length);
  key[0] = 0x72;
  key.writeUInt32BE(seconds, 1);
  identity.copy(key, 5);
  return key;
}

/** Opens the identities of usage events under `path`. *Shape* one transaction a call, synced to disk when it returns. */
export function openUsageIdentities(path: string): LocalUsageIdentities {
  const root: RootDatabase<Buffer, Buffer> = open({
    path,
    encoding: 'binary',
    keyEncoding: 'binary',
    // With overlapping sync a commit returns before it is on disk.
    overlappingSync: false,
  });
  return {
    claim(events) {
      if (events.length === 0) return [];
      return root.transactionSync(() =>
        events.map((claim): ClaimVerdict => {
          const identity = identityKey(claim);
          const hash = contentHash(claim.event);
          const held = root.get(identity);
          if (held === undefined) {
            root.putSync(identity, encode(claim, hash));
            root.putSync(receivedKey(Math.floor(claim.receivedMs / 1000), identity), Buffer.alloc(0));
            return 'first';
          }
          const same =
            held.readUInt32LE(0) === claim.partition &&
            held.readBigUInt64LE(4) === BigInt(claim.offset) &&
            held.readUInt32LE(12) === claim.index;
          if (same) return 'first';
          return hash.equals(held.subarray(20, valueSize)) ? 'duplicate' : 'conflict';
        }),
      );
    },
    prune(beforeMs, limit) {
      return root.transactionSync(() => {
        const end = receivedKey(Math.max(0, Math.floor(beforeMs / 1000)), Buffer.alloc(0));
        const old = [...root.getKeys({ start: Buffer.from([0x72]), end, limit })].map((key) => Buffer.from(key));
        for (const key of old) {
          root.removeSync(key.subarray(5));
          root.removeSync(key);
        }
        return old.length;
      });
    },
    close: () => root.close(),
  };
}
