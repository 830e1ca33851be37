import { uncompress } from 'snappy';
import { AppError } from 'streams/contract';

/** No element of the format makes more than 64 bytes of 3: a header that claims more than this is wrong before anything is allocated. */
const expansionMax = 22;

/**
 * Undoes the Snappy block format, never giving more than `maxBytes`: the length stands in front and is checked before memory is taken.
 *
 * *Shape* `uncompressed length varint, then elements`; the framed format is refused.
 * *Errors* `ingest.encoding_malformed` (400), `ingest.too_large` (413). *Source* google/snappy, format_description.txt.
 */
export async function uncompressBlock(body: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const length = statedLength(body);
  if (length === null) throw malformed();
  if (length > maxBytes) {
    throw new AppError('ingest.too_large', `the body is larger than ${maxBytes} bytes when decompressed`, {
      status: 413,
    });
  }
  if (length > body.length * expansionMax) throw malformed();
  if (length === 0 && body.length === 1) return new Uint8Array(0);
  try {
    const bytes = await uncompress(Buffer.from(body.buffer, body.byteOffset, body.byteLength), { asBuffer: true });
    return bytes as Buffer;
  } catch (cause) {
    throw malformed(cause);
  }
}

/** The length that a block states, or null when there is none of 32 bits. */
function statedLength(body: Uint8Array): number | null {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = body[i];
    if (byte === undefined) return null;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length < 2 ** 32 ? length : null;
  }
  return null;
}

function malformed(cause?: unknown): AppError {
  return new AppError('ingest.encoding_malformed', 'the body is not in the snappy block format', {
    status: 400,
    field: 'headers.content-encoding',
    cause,
  });
}
