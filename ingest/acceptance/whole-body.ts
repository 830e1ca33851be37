import { errorCodes, type FastifyRequest, type RequestPayload } from 'fastify';
import { giveBack } from 'streams/log';

/**
 * Reads a body whole, as Fastify's own parser for buffers does, but leaves no copies behind: one piece is taken as it is, several are joined and given back. Garbage outside V8's heap makes it
 * collect the whole heap, and whoever sends meanwhile waits.
 *
 * *Shape* bytes that nobody else holds. *Errors* `FST_ERR_CTP_BODY_TOO_LARGE`, `FST_ERR_CTP_INVALID_CONTENT_LENGTH`, those of the connection.
 */
export function readWholeBody(request: FastifyRequest, payload: RequestPayload, bytesMax: number): Promise<Uint8Array> {
  const declared = Number(request.headers['content-length']);
  return new Promise((resolve, reject) => {
    if (declared > bytesMax) {
      reject(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      return;
    }
    const pieces: Uint8Array[] = [];
    let length = 0;
    const stop = () => payload.off('data', take).off('end', end).off('error', fail);
    const fail = (error: Error) => {
      stop();
      reject(error);
    };
    const take = (piece: Uint8Array) => {
      length += piece.length;
      if (length > bytesMax) fail(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      else pieces.push(piece);
    };
    const end = () => {
      stop();
      if (declared >= 0 && declared !== length) reject(new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH());
      else resolve(join(pieces, length));
    };
    payload.on('data', take).on('end', end).on('error', fail);
    payload.resume();
  });
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = pieces;
  // A piece that is part of something larger would keep that in memory for as long as the log keeps the piece.
  if (pieces.length === 1 && only !== undefined && only.byteLength === only.buffer.byteLength) return only;
  const whole = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
    giveBack(piece);
  }
  return whole;
}
