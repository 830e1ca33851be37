import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { AppError } from 'streams/contract';
import { gunzipChunkBytes } from 'streams/log';

type Decompress = (body: Uint8Array, options: { maxOutputLength: number; chunkSize?: number }) => Promise<Uint8Array>;

const encodings = new Map<string, Decompress>([
  ['gzip', promisify(gunzip) as Decompress],
  ['zstd', promisify(zstdDecompress) as Decompress],
]);

/** Telemetry compresses 5 to 50 times; what grows more than this is made to grow. *Source* measured on the demo fleet; DEFLATE itself ends at 1:1032, zstd far beyond. */
const ratioMax = 250;
/** Small bodies may grow as they like: one repeated attribute reaches any ratio. */
const freeBytes = 8 * 1024 * 1024;

/** How far a body may grow, known before anything is decompressed. */
const grownBytesMax = (body: Uint8Array, maxBytes: number): number =>
  Math.min(maxBytes, Math.max(freeBytes, body.length * ratioMax));

/**
 * Undoes a content encoding, never giving more than `maxBytes`, nor more than 250 times the body once beyond 8 MiB: a bomb costs little before it is found out.
 *
 * *Errors* `ingest.encoding_unsupported` (415), `ingest.too_large` (413), `ingest.encoding_malformed` (400).
 */
export async function decompress(
  body: Uint8Array,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return body;
  const undo = encodings.get(name);
  if (undo === undefined) {
    throw new AppError('ingest.encoding_unsupported', 'content-encoding must be gzip, zstd or identity', {
      status: 415,
      field: 'headers.content-encoding',
    });
  }
  const most = grownBytesMax(body, maxBytes);
  try {
    const chunk = name === 'gzip' ? { chunkSize: gunzipChunkBytes(body, most) } : {};
    return await undo(body, { maxOutputLength: most, ...chunk });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new AppError('ingest.too_large', `the body is larger than ${most} bytes when decompressed`, {
        status: 413,
        cause,
      });
    }
    throw new AppError('ingest.encoding_malformed', `the body is not valid ${name}`, {
      status: 400,
      field: 'headers.content-encoding',
      cause,
    });
  }
}
