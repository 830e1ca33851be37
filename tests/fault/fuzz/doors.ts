import { connect } from 'node:net';
import { status as codes } from '@grpc/grpc-js';
import fc from 'fast-check';
import { encodeOtlp, type OtlpSignal } from 'streams/otlp';
import { exportByGrpc } from '../../grpc-client.ts';
import type { PulseProcess } from '../../pulse-process.ts';
import { corpus, otlpRequests, type Sample } from './corpus.ts';
import { mutations } from './mutation.ts';

/** Longer is a hang. */
const hangMs = 10_000;

/** Where a server listens. */
export type Doors = Pick<PulseProcess, 'http' | 'otlpHttp' | 'otlpGrpc'>;

/** Answers by status, over HTTP and gRPC. */
export type Tally = Map<string, number>;

const types = [
  'application/x-protobuf',
  'application/json',
  'application/cloudevents+json',
  'text/plain',
  'application/grpc',
  'multipart/form-data; boundary=x',
  'a/b;;;=',
  '',
];
const codings = ['', 'gzip', 'zstd', 'snappy', 'deflate', 'br', 'gzip, gzip', 'identity'];
const usually = <T>(value: T, others: readonly T[]) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, fc.constantFrom(...others));

interface Fuzzed {
  readonly sample: Sample;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly onApi: boolean;
}

const fuzzed = (samples: readonly Sample[]): fc.Arbitrary<Fuzzed> =>
  fc.constantFrom(...samples).chain((sample) =>
    fc
      .record({
        type: usually(sample.type, types),
        encoding: usually(sample.encoding, codings),
        mutate: mutations,
        onApi: fc.boolean(),
      })
      .map(({ type, encoding, mutate, onApi }) => ({
        sample,
        onApi: onApi || !/^\/(v1|api\/v1\/write)/.test(sample.path),
        body: mutate(Buffer.from(sample.body)),
        headers: {
          ...(type === '' ? {} : { 'content-type': type }),
          ...(encoding === '' ? {} : { 'content-encoding': encoding }),
        },
      })),
  );

function count(tally: Tally, answer: string): void {
  tally.set(answer, (tally.get(answer) ?? 0) + 1);
}

async function overHttp(pulse: Doors, key: string, tally: Tally, request: Fuzzed): Promise<void> {
  const base = request.onApi ? pulse.http : pulse.otlpHttp;
  const response = await fetch(base + request.sample.path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, ...request.headers },
    body: new Uint8Array(request.body),
    signal: AbortSignal.timeout(hangMs),
  });
  const text = await response.text();
  count(tally, String(response.status));
  if (response.status >= 500)
    throw new Error(`${request.sample.path} answered ${response.status}: ${text.slice(0, 300)}`);
}

async function overGrpc(pulse: Doors, key: string, tally: Tally, signal: OtlpSignal, body: Buffer): Promise<void> {
  const { code, message } = await exportByGrpc(pulse.otlpGrpc, body, {
    key,
    signal,
    deadlineMs: hangMs,
    channel: { 'grpc.use_local_subchannel_pool': 0 },
  });
  count(tally, `grpc ${codes[code]}`);
  const refusals: readonly number[] = [
    codes.OK,
    codes.INVALID_ARGUMENT,
    codes.RESOURCE_EXHAUSTED,
    codes.PERMISSION_DENIED,
  ];
  if (!refusals.includes(code)) throw new Error(`gRPC ${signal} answered ${codes[code]}: ${message}`);
}

/** What a connection is answered when its bytes are no request; empty when it is only closed. */
function overSocket(url: string, bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.end(bytes));
    const hung = setTimeout(() => {
      socket.destroy();
      reject(new Error('a connection hangs'));
    }, hangMs);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(hung);
      resolve(received);
    });
  });
}

/**
 * Mutated requests at every endpoint that takes data, over HTTP with right and wrong types and encodings, over gRPC, and below HTTP.
 *
 * *Errors* throws with fast-check's shrunk counterexample and seed: a 5xx, a fault of the server over gRPC, an answer that does not come.
 */
export async function fuzzDoors(pulse: Doors, key: string, tally: Tally, seed: number, numRuns: number): Promise<void> {
  const nowMs = Date.now();
  const samples = corpus(nowMs);
  await fc.assert(
    fc.asyncProperty(fuzzed(samples), (request) => overHttp(pulse, key, tally, request)),
    { seed, includeErrorInReport: true, numRuns },
  );
  const messages = Object.entries(otlpRequests(nowMs)).map(([signal, request]) => ({
    signal: signal as OtlpSignal,
    bytes: Buffer.from(encodeOtlp(signal as OtlpSignal, request)),
  }));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...messages), mutations, ({ signal, bytes }, mutate) =>
      overGrpc(pulse, key, tally, signal, mutate(bytes)),
    ),
    { seed, includeErrorInReport: true, numRuns: Math.ceil(numRuns / 4) },
  );
  const raw = Buffer.from(
    `POST /v1/metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`,
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(pulse.otlpHttp, pulse.http, pulse.otlpGrpc), mutations, async (url, mutate) => {
      const received = await overSocket(url, mutate(raw));
      const status = /^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? 'closed';
      count(tally, `raw ${status}`);
      // 505 is the answer to another version of HTTP.
      if (status.startsWith('5') && status !== '505')
        throw new Error(`a broken request was answered ${received.slice(0, 200)}`);
    }),
    { seed, includeErrorInReport: true, numRuns: Math.ceil(numRuns / 8) },
  );
}
