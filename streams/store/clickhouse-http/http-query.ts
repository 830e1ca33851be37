import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { PassThrough, pipeline, type Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { Refusal } from './exceptions.ts';

/** A request to run a statement, read as a ClickHouse server reads it. */
export interface HttpQuery {
  /** From the URL; the body follows it when it is no data. */
  readonly query: string;
  /** Values of `{name:Type}`, as they came in `param_name`. */
  readonly params: ReadonlyMap<string, string>;
  /** Everything in the URL that is no parameter of the interface: settings of the engine. */
  readonly settings: ReadonlyMap<string, string>;
  readonly database: string | null;
  /** The answer's format when the statement names none. */
  readonly format: string | null;
  readonly queryId: string;
  /** The whole answer is waited for before its status is sent. */
  readonly waitsForEnd: boolean;
  readonly compressed: boolean;
  /** A header of progress is asked for. */
  readonly wantsProgress: boolean;
  readonly method: string;
}

/** Parameters of the interface that change nothing of what the engine does. */
const ownParameters = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'session_id',
  'session_timeout',
  'session_check',
  'role',
  'compress',
  'decompress',
  'stacktrace',
  'buffer_size',
  'wait_end_of_query',
  'enable_http_compression',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'http_response_buffer_size',
  'http_write_exception_in_output_format',
  'add_http_cors_header',
  'cancel_http_readonly_queries_on_client_close',
  'log_queries',
  'client_protocol_version',
  'http_make_head_request',
  'http_response_headers',
  'http_native_compression_disable_checksumming_on_decompress',
]);
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const isOn = (value: string | null) => value === '1' || value === 'true';

/** Reads everything but the body. *Errors* {@link Refusal}: names that cannot be settings, sessions, the native compressed framing. */
export function readHttpQuery(request: IncomingMessage, url: URL): HttpQuery {
  const search = url.searchParams;
  const params = new Map<string, string>();
  const settings = new Map<string, string>();
  for (const [name, value] of search) {
    if (name.startsWith('param_')) params.set(name.slice('param_'.length), value);
    else if (!ownParameters.has(name)) {
      if (!identifier.test(name))
        throw new Refusal(
          115,
          'UNKNOWN_SETTING',
          'Unknown setting: its name has other characters than letters, digits and _',
        );
      settings.set(name, value);
    }
  }
  if (isOn(search.get('compress')) || isOn(search.get('decompress'))) {
    throw new Refusal(
      48,
      'NOT_IMPLEMENTED',
      "the native compressed framing (compress, decompress) is not served: use Accept-Encoding or Content-Encoding, which is compression 'gzip' of the clients",
    );
  }
  if (search.has('session_id'))
    throw new Refusal(48, 'NOT_IMPLEMENTED', 'sessions over several requests (session_id) are not served');
  const header = (name: string) => {
    const value = request.headers[name];
    return Array.isArray(value) ? (value[0] ?? null) : (value ?? null);
  };
  const queryId = search.get('query_id') ?? '';
  return {
    query: search.get('query') ?? '',
    params,
    settings,
    database: search.get('database') ?? header('x-clickhouse-database'),
    format: search.get('default_format') ?? header('x-clickhouse-format'),
    queryId: /^[\w.:-]{1,100}$/.test(queryId) ? queryId : randomUUID(),
    waitsForEnd: isOn(search.get('wait_end_of_query')),
    compressed: isOn(search.get('enable_http_compression')),
    wantsProgress: isOn(search.get('send_progress_in_http_headers')),
    method: request.method ?? 'GET',
  };
}

/** The body as it was before compression, ended with an error once it is longer than `maxBytes`. */
export function plainBody(request: IncomingMessage, maxBytes: number): Readable {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  const unpack = {
    identity: () => new PassThrough(),
    gzip: createGunzip,
    deflate: createInflate,
    br: createBrotliDecompress,
    zstd: createZstdDecompress,
  }[encoding.toLowerCase()];
  if (unpack === undefined)
    throw new Refusal(48, 'NOT_IMPLEMENTED', `Unknown compression method: content-encoding ${encoding.slice(0, 20)}`);
  let bytes = 0;
  const bound = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new Refusal(307, 'TOO_MANY_BYTES', `the body is longer than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
  // Errors reach whoever reads `bound`.
  pipeline(request, unpack(), bound, () => {});
  return bound;
}

/** The rest of the statement, and parameters that came in a form. */
export async function readText(
  request: IncomingMessage,
  query: HttpQuery,
  maxBytes: number,
): Promise<{ text: string; params: ReadonlyMap<string, string> }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of plainBody(request, maxBytes)) chunks.push(chunk as Buffer);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(117, 'INCORRECT_DATA', 'the body is not what its content-encoding says, or ends too early');
  }
  const body = Buffer.concat(chunks);
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('multipart/form-data')) return readForm(body, type, query);
  const text = body.toString('utf8');
  return { text: query.query === '' ? text : `${query.query}\n${text}`, params: query.params };
}

async function readForm(
  body: Buffer,
  type: string,
  query: HttpQuery,
): Promise<{ text: string; params: ReadonlyMap<string, string> }> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData().catch(() => {
    throw new Refusal(117, 'INCORRECT_DATA', 'the form cannot be read');
  });
  const params = new Map(query.params);
  let text = query.query;
  for (const [name, value] of form) {
    if (typeof value !== 'string') throw new Refusal(48, 'NOT_IMPLEMENTED', 'external tables are not served');
    if (name === 'query') text += value;
    else if (name.startsWith('param_')) params.set(name.slice('param_'.length), value);
    else
      throw new Refusal(115, 'UNKNOWN_SETTING', `the form's field ${JSON.stringify(name.slice(0, 60))} is not known`);
  }
  return { text, params };
}
