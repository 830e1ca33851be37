import { crc32c } from '@node-rs/crc32';
import type { LogMessage } from './port.ts';

/*
 * A segment is frames, one after the other, nothing between, before or after them. Integers are little-endian.
 *
 *   Segment       => *Frame
 *   Frame         => Length Crc Offset AppendedAt Synced KeyLength HeadersLength Key Headers Payload
 *   Length        => u32    bytes after Crc
 *   Crc           => u32    CRC-32C over Length and everything after Crc, started from the partition's seed
 *   Offset        => u64    number of the record within its partition, from 0
 *   AppendedAt    => u64    milliseconds since the epoch
 *   Synced        => u32    bytes of this segment that were on disk before this frame's group was written
 *   KeyLength     => u16
 *   HeadersLength => u32    highest bit: the payload is compressed (zstd, or gzip as its sender made it: the magic bytes tell)
 *   Key           => KeyLength bytes, UTF-8
 *   Headers       => HeadersLength bytes, JSON object of strings, UTF-8
 *   Payload       => the rest
 */
const fixedBytes = 34;
const afterCrc = 8;
const minimumLength = fixedBytes - afterCrc;
const compressedBit = 0x8000_0000;

/** Largest key + headers + payload of one message. Kafka topics are made for the same 4 MiB. */
export const messageBytesMax = 4 * 1024 * 1024;
/** Largest frame on disk. */
export const frameBytesMax = fixedBytes + messageBytesMax;
export const keyBytesMax = 0xffff;
/** Below this a payload is copied behind its head: one buffer is cheaper to write than two. */
const inlineBytes = 4096;

/** A message made ready for writing: its texts are bytes, its payload is compressed or else the caller's own memory. */
export interface PreparedMessage {
  readonly key: Buffer;
  readonly headers: Buffer;
  readonly payload: Uint8Array;
  readonly compressed: boolean;
  readonly appendedAt: number;
  /** What was handed over, for readers that follow closely. */
  readonly message?: Pick<LogMessage, 'key' | 'headers'>;
  /** Bytes of the payload before it was compressed. */
  readonly payloadBytes?: number;
}

/** A frame read back. `payload` is a view into the chunk it was read with, compressed as it stands there. */
export interface Frame {
  readonly position: number;
  readonly end: number;
  readonly offset: number;
  readonly appendedAt: number;
  readonly synced: number;
  readonly key: string;
  readonly headersJson: string;
  readonly payload: Uint8Array;
  readonly compressed: boolean;
}

/** Start value of a partition's checksums: bytes that come from another partition or another log do not verify. */
export function checksumSeed(epoch: string, topic: string, partition: number): number {
  return crc32c(`${epoch}/${topic}/${partition}`);
}

/** CRC-32C (Castagnoli) continuing from `start`. *Source* RFC 3720 B.4 test vectors. */
export function checksum(bytes: Uint8Array, start = 0): number {
  return crc32c(bytes, start);
}

/** Size of a message's frame on disk, bytes. */
export function frameBytes(message: PreparedMessage): number {
  return fixedBytes + message.key.length + message.headers.length + message.payload.length;
}

/** The buffers of a frame in writing order: the payload stays where it is unless it is small. */
export function encodeFrame(
  message: PreparedMessage,
  offset: number,
  synced: number,
  seed: number,
): readonly Uint8Array[] {
  const { key, headers, payload, compressed } = message;
  const headBytes = fixedBytes + key.length + headers.length;
  const inline = payload.length <= inlineBytes;
  const head = Buffer.allocUnsafe(inline ? headBytes + payload.length : headBytes);
  head.writeUInt32LE(headBytes + payload.length - afterCrc, 0);
  head.writeBigUInt64LE(BigInt(offset), 8);
  head.writeBigUInt64LE(BigInt(message.appendedAt), 16);
  head.writeUInt32LE(synced, 24);
  head.writeUInt16LE(key.length, 28);
  head.writeUInt32LE(headers.length + (compressed ? compressedBit : 0), 30);
  head.set(key, fixedBytes);
  head.set(headers, fixedBytes + key.length);
  if (inline) head.set(payload, headBytes);
  const start = checksum(head.subarray(afterCrc), checksum(head.subarray(0, 4), seed));
  head.writeUInt32LE(inline ? start : checksum(payload, start), 4);
  return inline ? [head] : [head, payload];
}

/** `short`: the bytes end before the frame does, `bytes` is its whole size as far as it can be told. `bad`: not a frame. */
export type Decoded =
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'bad' };

/** Reads the frame at `at` of a chunk that starts at `base` of its segment. */
export function decodeFrame(chunk: Buffer, at: number, base: number, seed: number): Decoded {
  if (at + fixedBytes > chunk.length) return { kind: 'short', bytes: fixedBytes };
  const length = chunk.readUInt32LE(at);
  if (length < minimumLength || length + afterCrc > frameBytesMax) return { kind: 'bad' };
  const end = at + afterCrc + length;
  if (end > chunk.length) return { kind: 'short', bytes: afterCrc + length };
  const start = checksum(chunk.subarray(at, at + 4), seed);
  if (checksum(chunk.subarray(at + afterCrc, end), start) !== chunk.readUInt32LE(at + 4)) return { kind: 'bad' };
  const keyEnd = at + fixedBytes + chunk.readUInt16LE(at + 28);
  const headersLength = chunk.readUInt32LE(at + 30);
  const compressed = headersLength >= compressedBit;
  const headersEnd = keyEnd + (compressed ? headersLength - compressedBit : headersLength);
  if (headersEnd > end) return { kind: 'bad' };
  return {
    kind: 'frame',
    frame: {
      position: base + at,
      end: base + end,
      offset: Number(chunk.readBigUInt64LE(at + 8)),
      appendedAt: Number(chunk.readBigUInt64LE(at + 16)),
      synced: chunk.readUInt32LE(at + 24),
      key: chunk.toString('utf8', at + fixedBytes, keyEnd),
      headersJson: chunk.toString('utf8', keyEnd, headersEnd),
      payload: chunk.subarray(headersEnd, end),
      compressed,
    },
  };
}

/** The first whole, valid frame that starts in `[from, until)` of a chunk and carries an offset in `[low, high]`. */
export function findFrame(
  chunk: Buffer,
  range: { readonly from: number; readonly until: number; readonly low: number; readonly high: number },
  base: number,
  seed: number,
): Frame | null {
  const until = Math.min(range.until, chunk.length - fixedBytes + 1);
  for (let at = range.from; at < until; at++) {
    // Length and offset are looked at first: they rule out almost every position before a checksum is computed.
    const length = chunk.readUInt32LE(at);
    if (length < minimumLength || length + afterCrc > frameBytesMax) continue;
    const offset = chunk.readUInt32LE(at + 8) + chunk.readUInt32LE(at + 12) * 2 ** 32;
    if (offset < range.low || offset > range.high) continue;
    const decoded = decodeFrame(chunk, at, base, seed);
    if (decoded.kind === 'frame') return decoded.frame;
  }
  return null;
}

/** Highest number of frames that fit into so many bytes. */
export function framesMax(bytes: number): number {
  return Math.ceil(bytes / fixedBytes);
}
