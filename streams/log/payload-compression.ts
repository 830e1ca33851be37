import { constants, gunzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Below this a payload is not worth the call. */
const compressBytesMin = 512;
const params = { [constants.ZSTD_c_compressionLevel]: 1 };

/** A payload as it stands in a frame. */
export interface PackedPayload {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
}

/**
 * Takes the sender's own compression (gzip or zstd) when it is known and smaller, else compresses with zstd level 1 when that makes the payload smaller; the bytes read back are the same either way.
 *
 * *Bias* whoever hands `sent` over has decompressed it to exactly `payload`.
 */
export function packPayload(payload: Uint8Array, sent?: Uint8Array): PackedPayload {
  if (sent !== undefined && sent.length < payload.length) return { bytes: sent, compressed: true };
  if (payload.length < compressBytesMin) return { bytes: payload, compressed: false };
  // A quarter is enough for most, so that the answer comes in one small buffer and nothing has to be joined.
  const bytes = zstdCompressSync(payload, { params, chunkSize: Math.max(1024, payload.length >> 2) });
  return bytes.length < payload.length
    ? { bytes: tight(bytes), compressed: true }
    : { bytes: payload, compressed: false };
}

/** Without the rest of the buffer that it was written into: the log holds the newest records in memory. */
const tight = (bytes: Uint8Array): Uint8Array =>
  bytes.buffer.byteLength > 2 * bytes.length ? new Uint8Array(bytes) : bytes;

/** Gives the payload back. *Errors* plain `Error` when the bytes are no gzip or zstd frame or hold more than `bytesMax`: the checksum has passed, so it is damage that nothing explains. */
export function unpackPayload({ bytes, compressed }: PackedPayload, bytesMax: number): Uint8Array {
  if (!compressed) return bytes;
  if (isGzip(bytes)) {
    return gunzipSync(bytes, { maxOutputLength: bytesMax, chunkSize: gunzipChunkBytes(bytes, bytesMax) });
  }
  return zstdDecompressSync(bytes, { maxOutputLength: bytesMax });
}

/** Smaller ones cost the collector less than the call. */
const giveBackBytesMin = 4096;
/** What begins a buffer and is this large shares it with nobody: Node's pool (`Buffer.poolSize`) is smaller. */
const unsharedBytesMin = 128 * 1024;

/**
 * Gives the memory of a buffer back at once; whoever looks at it afterwards finds it empty. Left to the collector, memory outside its heap makes it run all the time.
 *
 * *Bias* memory that is small, or only part of a larger buffer (such as Node's pool), stays.
 */
export function giveBack({ buffer, byteLength, byteOffset }: Uint8Array): void {
  const isWhole = byteLength === buffer.byteLength && byteLength >= giveBackBytesMin;
  if (!isWhole && (byteOffset !== 0 || byteLength < unsharedBytesMin)) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** The two magic bytes of a gzip member; a zstd frame begins otherwise. *Source* RFC 1952, RFC 8878. */
const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** How large a gzip body says it is; infinite when it is too short to say it. *Source* RFC 1952, ISIZE in the trailer of the last member. */
export function gzipClaimedBytes(body: Uint8Array): number {
  if (body.length < 18) return Number.POSITIVE_INFINITY;
  return new DataView(body.buffer, body.byteOffset + body.length - 4, 4).getUint32(0, true);
}

/**
 * Output buffer that takes a gzip body in one piece: pieces of the default 16 KiB cost a turn of the event loop each and a copy at the end.
 *
 * *Bias* the size is the sender's claim, so it is never trusted beyond 64 times the compressed size; a wrong claim only costs speed.
 */
export function gunzipChunkBytes(body: Uint8Array, bytesMax: number): number {
  // One byte more than needed: a buffer that is exactly full would ask for another one.
  return Math.max(16_384, Math.min(bytesMax, gzipClaimedBytes(body) + 1, body.length * 64));
}
