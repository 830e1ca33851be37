import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { numberOf, readProto, readStatus, textOf } from './protobuf.ts';
import {
  assertRefused,
  type Encoding,
  encoded,
  encodings,
  openRequest,
  post,
  type Rule,
  request,
  signals,
  type Target,
  typeOf,
} from './target.ts';

/** The same rule for both encodings. */
const forBoth = (id: string, text: string, check: (target: Target, encoding: Encoding) => Promise<void>): Rule[] =>
  encodings.map((encoding) => ({
    id: `${id}-${encoding}`,
    text: `${encoding}: ${text}`,
    check: (to) => check(to, encoding),
  }));

const malformed = { protobuf: Buffer.from([0x0a, 0x7f, 1]), json: Buffer.from('{"resourceMetrics":') } as const;
const good = (encoding: Encoding) => encoded('metrics', encoding, request('metrics'));

/** What a partial success of an answer says. */
function partialOf(body: Uint8Array, encoding: Encoding): { rejected: number; message: string } | null {
  if (encoding === 'json') {
    const { partialSuccess } = JSON.parse(Buffer.from(body).toString()) as { partialSuccess?: Record<string, string> };
    if (partialSuccess === undefined) return null;
    const { errorMessage = '', ...counts } = partialSuccess;
    return { rejected: Number(Object.values(counts)[0] ?? 0), message: errorMessage };
  }
  const partial = readProto(body).get(1)?.[0];
  if (!(partial instanceof Uint8Array)) return null;
  const fields = readProto(partial);
  return { rejected: numberOf(fields.get(1)?.[0]), message: textOf(fields.get(2)?.[0]) };
}

const success: readonly Rule[] = [
  ...forBoth(
    'http-success',
    'POST /v1/{metrics,traces,logs} answers 200 with Export…ServiceResponse in the type of the request, and a full success leaves partial_success unset',
    async (target, encoding) => {
      for (const signal of signals) {
        const answer = await post(target, signal, encoding, encoded(signal, encoding, request(signal)));
        assert.equal(answer.status, 200, signal);
        assert.equal(answer.type, typeOf[encoding]);
        assert.equal(partialOf(answer.body, encoding), null);
      }
    },
  ),
  ...forBoth('http-empty', 'an empty request is answered with success', async (target, encoding) => {
    const empty = encoding === 'json' ? Buffer.from('{}') : new Uint8Array(0);
    for (const signal of signals) assert.equal((await post(target, signal, encoding, empty)).status, 200, signal);
  }),
  ...forBoth(
    'http-partial',
    'a partly accepted request is 200 with partial_success: the number of rejected records and a reason',
    async (target, encoding) => {
      for (const signal of signals) {
        const answer = await post(target, signal, encoding, encoded(signal, encoding, request(signal, 2, 3)));
        assert.equal(answer.status, 200);
        const partial = partialOf(answer.body, encoding);
        assert.equal(partial?.rejected, 3, signal);
        assert.match(partial?.message ?? '', /too_old/);
      }
    },
  ),
  ...forBoth('http-gzip', 'content-encoding gzip is taken', async (target, encoding) => {
    const answer = await post(target, 'metrics', encoding, gzipSync(good(encoding)), {
      headers: { 'content-encoding': 'gzip' },
    });
    assert.equal(answer.status, 200);
  }),
  ...forBoth('http-zstd', 'content-encoding zstd is taken', async (target, encoding) => {
    const answer = await post(target, 'metrics', encoding, zstdCompressSync(good(encoding)), {
      headers: { 'content-encoding': 'zstd' },
    });
    assert.equal(answer.status, 200);
  }),
  {
    id: 'http-type-parameters',
    text: 'the content type may carry parameters and any case',
    async check(target) {
      for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8']) {
        const answer = await post(target, 'metrics', 'json', good('json'), { headers: { 'content-type': type } });
        assert.equal(answer.status, 200, type);
        assert.equal(answer.type, 'application/json');
      }
    },
  },
  {
    id: 'http-keep-alive',
    text: 'a connection is kept for the next request',
    async check(target) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const send = () =>
        new Promise<boolean>((resolve, reject) => {
          const sent = httpRequest(`${target.pulse.otlpHttp}/v1/metrics`, {
            agent,
            method: 'POST',
            headers: { authorization: `Bearer ${target.key}`, 'content-type': typeOf.protobuf },
          });
          sent
            .on('error', reject)
            .on('response', (response) => response.resume().on('end', () => resolve(sent.reusedSocket)));
          sent.end(good('protobuf'));
        });
      assert.equal(await send(), false);
      assert.equal(await send(), true);
      agent.destroy();
    },
  },
  {
    id: 'http-chunked',
    text: 'a body of unknown length is taken',
    async check(target) {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(good('protobuf')));
          controller.close();
        },
      });
      const init = {
        method: 'POST',
        body,
        duplex: 'half',
        headers: { authorization: `Bearer ${target.key}`, 'content-type': typeOf.protobuf },
      };
      const answer = await fetch(`${target.pulse.otlpHttp}/v1/metrics`, init as RequestInit);
      assert.equal(answer.status, 200);
    },
  },
  {
    id: 'http-cors',
    text: 'a browser of an allowed origin may ask without credentials and send with them; of another origin not',
    async check(target) {
      const url = `${target.pulse.otlpHttp}/v1/traces`;
      const ask = (origin: string) =>
        fetch(url, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'authorization,content-type',
          },
        });
      const allowed = await ask(target.origin);
      assert.equal(allowed.status, 204);
      assert.equal(allowed.headers.get('access-control-allow-origin'), target.origin);
      assert.match(allowed.headers.get('access-control-allow-headers') ?? '', /authorization/);
      const other = await ask('https://elsewhere.example');
      assert.equal(other.headers.get('access-control-allow-origin'), null);
      const sent = await post(target, 'metrics', 'json', good('json'), { headers: { origin: target.origin } });
      assert.equal(sent.headers.get('access-control-allow-origin'), target.origin);
    },
  },
];

/** Refusals by status: what is sent, and what comes back in the request's own type. */
type Refusal = readonly [number, string, (target: Target, encoding: Encoding) => ReturnType<typeof post>];
const refusals: readonly Refusal[] = [
  [400, 'data that cannot be decoded', (to, as) => post(to, 'metrics', as, malformed[as])],
  [
    400,
    'a body that is not what its encoding says',
    (to, as) => post(to, 'metrics', as, Buffer.from('no gzip'), { headers: { 'content-encoding': 'gzip' } }),
  ],
  [401, 'no credential', (to, as) => post(to, 'metrics', as, good(as), { headers: { authorization: '' } })],
  [401, 'an unknown credential', (to, as) => post(to, 'metrics', as, good(as), { key: 'nobody' })],
  [403, 'a credential without a tenant', (to, as) => post(to, 'metrics', as, good(as), { key: to.pulse.token })],
  [404, 'an unknown path', (to, as) => post(to, '', as, good(as), { path: '/v1/profiles' })],
  [405, 'another method', (to, as) => post(to, 'metrics', as, good(as), { method: 'PUT' })],
  [413, 'a body above the limit', (to, as) => post(to, 'metrics', as, Buffer.alloc(1024 * 1024 + 1, 0x20))],
  [
    413,
    'a body above the limit when decompressed',
    (to, as) =>
      post(to, 'metrics', as, gzipSync(Buffer.alloc(3 * 1024 * 1024, 0x20)), {
        headers: { 'content-encoding': 'gzip' },
      }),
  ],
  [
    415,
    'an unknown encoding',
    (to, as) => post(to, 'metrics', as, good(as), { headers: { 'content-encoding': 'br' } }),
  ],
];

const failures: readonly Rule[] = [
  ...refusals.flatMap(([status, what, send], i) =>
    forBoth(
      `http-${status}-${i}`,
      `${what} is ${status} with a google.rpc.Status in the type of the request`,
      async (target, encoding) => assertRefused(await send(target, encoding), status, encoding),
    ),
  ),
  {
    id: 'http-415-type',
    text: 'a content type that is neither is 415 with a Status',
    async check(target) {
      const answer = await post(target, 'metrics', 'json', good('json'), { headers: { 'content-type': 'text/csv' } });
      assertRefused(answer, 415, 'protobuf');
    },
  },
  ...forBoth('http-not-retryable', 'bad data never asks to be sent again', async (target, encoding) => {
    const answer = await post(target, 'metrics', encoding, malformed[encoding]);
    assert.equal(answer.headers.get('retry-after'), null);
    assert.deepEqual(
      readStatus(answer.body, encoding === 'json').details.filter((name) => name === 'google.rpc.RetryInfo'),
      [],
    );
  }),
  ...forBoth('http-429', 'a limit is 429 with Retry-After and RetryInfo', async (target, encoding) => {
    const open = await openRequest(target, target.narrowKey, 1000);
    const answer = await post(target, 'metrics', encoding, good(encoding), { key: target.narrowKey });
    await open.release();
    assertRefused(answer, 429, encoding);
    assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
    assert.ok(readStatus(answer.body, encoding === 'json').details.includes('google.rpc.RetryInfo'));
  }),
  ...forBoth(
    'http-503',
    'an overloaded server is 503 with Retry-After and RetryInfo, never 500',
    async (target, encoding) => {
      const open = await openRequest(target, target.narrowKey, 1024 * 1024);
      const answer = await post(target, 'metrics', encoding, good(encoding));
      await open.release();
      assertRefused(answer, 503, encoding);
      assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
      assert.ok(readStatus(answer.body, encoding === 'json').details.includes('google.rpc.RetryInfo'));
    },
  ),
  ...forBoth(
    'http-408',
    'a request that does not arrive in time is 408 with a Status, and its connection ends',
    async (target, encoding) => {
      const open = await openRequest(target, target.key, 1000, encoding);
      await open.closed;
      const [head = '', body = ''] = open.received().split('\r\n\r\n');
      assert.match(head, /^HTTP\/1\.1 408 /);
      assert.ok(head.includes(`content-type: ${typeOf[encoding]}`), head);
      assert.equal(readStatus(Buffer.from(body, 'latin1'), encoding === 'json').code, 4);
    },
  ),
  {
    id: 'http-api-port',
    text: 'OTLP answers alike on the port of the API',
    async check(target) {
      const base = target.pulse.http;
      for (const encoding of encodings) {
        assert.equal((await post(target, 'metrics', encoding, good(encoding), { base })).status, 200);
        assertRefused(await post(target, 'metrics', encoding, malformed[encoding], { base }), 400, encoding);
        assertRefused(await post(target, 'metrics', encoding, good(encoding), { base, method: 'PUT' }), 405, encoding);
        assertRefused(await post(target, 'metrics', encoding, good(encoding), { base, key: 'nobody' }), 401, encoding);
      }
    },
  },
];

/** OTLP/HTTP. *Source* opentelemetry.io/docs/specs/otlp, "OTLP/HTTP". */
export const httpRules: readonly Rule[] = [...success, ...failures];
