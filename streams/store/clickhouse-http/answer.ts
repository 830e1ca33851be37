import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Transform } from 'node:stream';
import { createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib';
import { type Exception, exceptionText, statusOf } from './exceptions.ts';
import { contentTypeOf } from './formats.ts';
import type { HttpQuery } from './http-query.ts';
import type { Answer } from './statement-runner.ts';

/** What every answer says of itself. */
export interface AnswerFrame {
  readonly version: string;
  readonly timeZone: string;
}

const summaryOf = (counts: Readonly<Record<string, number>>, startedAt: number) =>
  JSON.stringify({
    read_rows: '0',
    read_bytes: '0',
    written_rows: '0',
    written_bytes: '0',
    total_rows_to_read: '0',
    result_rows: '0',
    result_bytes: '0',
    ...Object.fromEntries(Object.entries(counts).map(([key, value]) => [key, String(value)])),
    elapsed_ns: String(Math.round((performance.now() - startedAt) * 1e6)),
  });

function compression(request: IncomingMessage, query: HttpQuery | null): { name: string; stream: Transform } | null {
  if (query?.compressed !== true) return null;
  const accepted = String(request.headers['accept-encoding'] ?? '').toLowerCase();
  if (/\bzstd\b/.test(accepted)) return { name: 'zstd', stream: createZstdCompress() };
  if (/\bgzip\b/.test(accepted)) return { name: 'gzip', stream: createGzip({ level: 3 }) };
  if (/\bbr\b/.test(accepted)) return { name: 'br', stream: createBrotliCompress() };
  return null;
}

/** Whoever takes nothing for so long holds a place that others wait for. */
const stallMs = 60_000;

/** Sends an engine's answer: headers with the first bytes, then whatever comes; an error in the middle is marked in the body as servers do. */
export async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  frame: AnswerFrame,
  query: HttpQuery,
  answer: Answer & { readonly format: string; readonly written?: number },
  toException: (error: unknown) => Exception,
  startedAt: number,
): Promise<void> {
  const tag = randomBytes(8).toString('hex');
  const packed = compression(request, query);
  const counts =
    answer.written === undefined
      ? { result_rows: answer.rows ?? 0 }
      : { written_rows: answer.written, read_rows: answer.written };
  const summary = summaryOf(counts, startedAt);
  response.writeHead(200, {
    'content-type': contentTypeOf(answer.format),
    'x-clickhouse-query-id': query.queryId,
    'x-clickhouse-format': answer.format,
    'x-clickhouse-timezone': frame.timeZone,
    'x-clickhouse-server-display-name': 'pulse',
    'x-clickhouse-exception-tag': tag,
    // One, with the first bytes: what a server sends in between cannot be sent here.
    ...(query.wantsProgress ? { 'x-clickhouse-progress': summary } : {}),
    'x-clickhouse-summary': summary,
    ...(packed === null ? {} : { 'content-encoding': packed.name, vary: 'accept-encoding' }),
  });
  const sink = packed?.stream ?? response;
  packed?.stream.pipe(response);
  const write = async (bytes: Uint8Array | string) => {
    if (sink.write(bytes) || response.destroyed) return;
    await new Promise<void>((resolve) => {
      const stalled = setTimeout(() => response.destroy(), stallMs);
      const go = () => {
        clearTimeout(stalled);
        sink.off('drain', go);
        response.off('close', go);
        resolve();
      };
      sink.on('drain', go);
      response.on('close', go);
    });
  };
  try {
    for await (const bytes of answer.bytes) {
      if (response.destroyed) break;
      if (bytes.length > 0) await write(bytes);
    }
  } catch (error) {
    const message = exceptionText(toException(error), frame.version);
    await write(`\r\n__exception__\r\n${tag}\r\n${message}${Buffer.byteLength(message)} ${tag}\r\n__exception__\r\n`);
  }
  sink.end();
}

/** Sends an exception before anything else was sent. */
export function sendException(
  request: IncomingMessage,
  response: ServerResponse,
  frame: AnswerFrame,
  query: HttpQuery | null,
  exception: Exception,
): void {
  // What is left of the body would be read as the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  const status = statusOf(exception);
  if (status === 401) response.setHeader('www-authenticate', 'Basic realm="ClickHouse"');
  response.writeHead(status, {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-exception-code': String(exception.code),
    'x-clickhouse-timezone': frame.timeZone,
    'x-clickhouse-server-display-name': 'pulse',
    ...(query === null ? {} : { 'x-clickhouse-query-id': query.queryId }),
  });
  response.end(exceptionText(exception, frame.version));
}
