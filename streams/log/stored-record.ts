import { messageBytesMax } from './frame.ts';
import { giveBack, type PackedPayload, unpackPayload } from './payload-compression.ts';
import type { LogRecord, TopicName } from './port.ts';

/** A record as the log holds it: its payload stays packed until somebody reads it. */
export class StoredRecord implements LogRecord {
  readonly topic: TopicName;
  readonly partition: number;
  readonly offset: number;
  readonly appendedAt: number;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payloadBytes: number;
  readonly #packed: PackedPayload;

  constructor(
    place: Pick<LogRecord, 'topic' | 'partition' | 'offset' | 'appendedAt'>,
    message: Pick<LogRecord, 'key' | 'headers'>,
    packed: PackedPayload,
    payloadBytes: number,
  ) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.offset = place.offset;
    this.appendedAt = place.appendedAt;
    this.key = message.key;
    this.headers = message.headers;
    this.#packed = packed;
    this.payloadBytes = payloadBytes;
  }

  /** Memory that it holds itself, beside key and headers. */
  get heldBytes(): number {
    return this.#packed.bytes.length;
  }

  get payloadIsCopy(): boolean {
    return this.#packed.compressed;
  }

  get payload(): Uint8Array {
    return unpackPayload(this.#packed, messageBytesMax);
  }
}

/** How large a payload is, found out by unpacking it: what a frame says of itself comes from its sender. *Errors* those of `unpackPayload`. */
export function unpackedBytes(packed: PackedPayload): number {
  const payload = unpackPayload(packed, messageBytesMax);
  const { length } = payload;
  if (packed.compressed) giveBack(payload);
  return length;
}
