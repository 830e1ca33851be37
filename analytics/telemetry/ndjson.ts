import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toProblem } from 'streams/contract';

/** A client that takes nothing for so long has gone; its read must not hold the engine. */
const stalledMs = 30_000;
const chunkBytes = 64 * 1024;

/** Does the client ask for lines. */
export const wantsLines = (request: FastifyRequest): boolean =>
  /\bapplication\/(x-)?ndjson\b/i.test(request.headers.accept ?? '');

/** Lines in pieces worth sending. */
async function* inChunks(
  lines: AsyncIterator<string>,
  first: IteratorResult<string>,
  toLast: (error: unknown) => string,
): AsyncGenerator<string> {
  let chunk = '';
  let next = first;
  try {
    while (next.done !== true) {
      chunk += next.value;
      if (chunk.length >= chunkBytes) {
        yield chunk;
        chunk = '';
      }
      next = await lines.next();
    }
  } catch (error) {
    chunk += toLast(error);
  } finally {
    // A client that went away ends the generator at its yield: the source is told, and gives its connection back.
    await lines.return?.();
  }
  if (chunk !== '') yield chunk;
}

/**
 * Sends lines as they come, as fast as the client takes them.
 *
 * *Errors* before the first line as every error answer; later as a last line `{"error":{…problem}}`, because the status is sent by then.
 */
export async function sendLines(
  request: FastifyRequest,
  reply: FastifyReply,
  source: AsyncIterable<string>,
): Promise<FastifyReply> {
  const lines = source[Symbol.asyncIterator]();
  const first = await lines.next();
  const chunks = inChunks(lines, first, (error) => {
    request.log.warn({ err: error, correlationId: request.correlationId }, 'an answer in lines ended early');
    return `${JSON.stringify({ error: toProblem(error, request.correlationId) })}\n`;
  });
  const body = Readable.from(chunks, { objectMode: false, highWaterMark: chunkBytes });
  let stalled: NodeJS.Timeout | undefined;
  const watch = () => {
    clearTimeout(stalled);
    stalled = setTimeout(() => body.destroy(), stalledMs);
  };
  watch();
  body.on('data', watch);
  body.pause();
  body.on('close', () => clearTimeout(stalled));
  return reply
    .header('content-type', 'application/x-ndjson; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(body);
}
