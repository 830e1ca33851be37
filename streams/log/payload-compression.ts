import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Below this a payload is not worth the call. */
const compressBytesMin = 512;
const options = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** A payload as it stands in a frame. */
export interface PackedPayload {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
}

/** Compresses with zstd level 1 when that makes the payload smaller; the bytes read back are the same either way. */
export function packPayload(payload: Uint8Array): PackedPayload {
  if (payload.length < compressBytesMin) return { bytes: payload, compressed: false };
  const bytes = zstdCompressSync(payload, options);
  return bytes.length < payload.length ? { bytes, compressed: true } : { bytes: payload, compressed: false };
}

/** Gives the payload back. *Errors* plain `Error` when the bytes are no zstd frame or hold more than `bytesMax`: the checksum has passed, so it is damage that nothing explains. */
export function unpackPayload({ bytes, compressed }: PackedPayload, bytesMax: number): Uint8Array {
  return compressed ? zstdDecompressSync(bytes, { maxOutputLength: bytesMax }) : bytes;
}
