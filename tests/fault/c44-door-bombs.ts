import { rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { createTenant, type PulseProcess, startPulse } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { encodePoints, residentBytes, sendOtlp } from './otlp-points.ts';

const mebibyte = 1024 * 1024;
const rssMiBMax = 64;
const requestBytes = 20 * mebibyte;
/** Long enough for an honest request of the largest size on a busy machine. */
const timeoutSeconds = 3;
/** So little that two requests of the largest size do not fit beside each other. */
const inFlightMiB = 48;

interface Door {
  readonly pulse: PulseProcess;
  readonly key: string;
  /** Keys of three more tenants. */
  readonly others: readonly string[];
  readonly size: 'short' | 'full';
  expect(what: string, found: unknown, wanted: unknown): void;
}

/** C44: bodies that grow, bodies at the limit, senders that never end, more than fits at a time. */
export const doorBombs: FaultCheck = {
  id: 'C44',
  title: 'bombs, sizes at the limit, slow senders, overload',
  guarantee:
    'the answers are 413, 408 and 503 with Retry-After, memory grows by 64 MiB at most, others are served meanwhile, and everything is as before afterwards',
  async run(context) {
    const dataDir = join(context.dir, 'data');
    rmSync(dataDir, { recursive: true, force: true });
    const config = join(context.dir, 'config.yaml');
    const server = {
      headersTimeoutSeconds: timeoutSeconds,
      requestTimeoutSeconds: timeoutSeconds,
      connectionsCheckSeconds: 0.2,
    };
    writeFileSync(config, JSON.stringify({ server, ingest: { maxInFlightMiB: inFlightMiB } }));
    const pulse = await startPulse({ dataDir, args: [`--config=${config}`] });
    const wrong: string[] = [];
    const door: Door = {
      pulse,
      key: await createTenant(pulse, { id: 'bomber' }),
      others: [
        await createTenant(pulse, { id: 'other-a' }),
        await createTenant(pulse, { id: 'other-b' }),
        await createTenant(pulse, { id: 'other-c' }),
      ],
      size: context.size,
      expect(what, found, wanted) {
        if (JSON.stringify(found) !== JSON.stringify(wanted))
          wrong.push(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
      },
    };
    try {
      // What requests of the largest size take is no growth. The most of it counts: a reading afterwards depends on which buffers were collected by then.
      const watch = watchMemory(pulse);
      await warmUp(door, watch);
      watch.begin();
      const figures: string[] = [];
      for (const attack of [bombs, sizes, slowSenders, overload]) {
        const before = watch.grownMiB();
        await attack(door);
        figures.push(`${attack.name} +${(watch.grownMiB() - before).toFixed(0)}`);
        door.expect(`a normal request after ${attack.name}`, (await sendPoint(door)).status, 200);
      }
      const grown = watch.stop();
      if (grown > rssMiBMax) wrong.push(`memory grew by ${grown.toFixed(0)} MiB`);
      return {
        passed: wrong.length === 0,
        figure: `RSS +${grown.toFixed(0)} MiB at most (${figures.join(', ')}), ${wrong.length} wrong answers`,
        details: wrong.slice(0, 20),
      };
    } finally {
      await pulse.kill();
    }
  },
};

/** Work as usual, requests of the largest size in it, until what the process holds at most has stood still: a server that has just started still grows by itself. */
async function warmUp(door: Door, watch: ReturnType<typeof watchMemory>): Promise<void> {
  const until = Date.now() + 40_000;
  let [stoodAt, stoodSince] = [0, Date.now()];
  for (let second = 0; Date.now() < until; second++) {
    if (second % 2 === 0 || second < 6)
      door.expect('a request of the largest size', (await sendSized(door, 0)).status, 200);
    for (let i = 0; i < 10; i++) {
      door.expect('a normal request', (await sendPoint(door)).status, 200);
      await sleep(50);
    }
    const most = watch.grownMiB();
    if (most > stoodAt + 4) [stoodAt, stoodSince] = [most, Date.now()];
    else if (Date.now() - stoodSince > 4000) return;
  }
}

function watchMemory(pulse: PulseProcess) {
  const rss = () => residentBytes(pulse.child.pid ?? 0);
  let before = rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, rss());
  }, 10);
  return {
    /** Growth counts from the most that was seen until now. */
    begin() {
      before = most;
    },
    grownMiB: () => (most - before) / mebibyte,
    stop() {
      clearInterval(timer);
      return (most - before) / mebibyte;
    },
  };
}

const sendPoint = ({ pulse, key }: Door) =>
  sendOtlp(pulse.otlpHttp, key, encodePoints({ metric: 'm', timeMs: Date.now(), count: 1, series: () => 's' }));

/** A valid request of 20 MiB and `more` bytes: one field that OTLP does not know. */
function sendSized({ pulse, key: own }: Door, more: number, key = own) {
  const size = requestBytes + more;
  const body = Buffer.alloc(size);
  // Field 15, wire type 2, and a length of four bytes.
  body.writeUInt8(0x7a, 0);
  let length = size - 5;
  for (let at = 1; at < 5; at++, length = Math.floor(length / 128))
    body.writeUInt8((length & 0x7f) | (at < 4 ? 0x80 : 0), at);
  return sendOtlp(pulse.otlpHttp, key, body);
}

async function bombs(door: Door): Promise<void> {
  const { pulse, key } = door;
  const zeros = Buffer.alloc((door.size === 'full' ? 256 : 96) * mebibyte);
  const gzip = gzipSync(zeros);
  const zstd = zstdCompressSync(zeros);
  // Snappy reaches 1:21 only; what it can do is to lie about its length. A varint of 512 MiB, then nothing.
  const snappy = Uint8Array.from([0x80, 0x80, 0x80, 0x80, 0x02, 0x00, 0x61]);
  const rounds = door.size === 'full' ? 20 : 1;
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all([
      ...[gzip, gzip, zstd, zstd].map((body) =>
        sendOtlp(pulse.otlpHttp, key, body, { headers: { 'content-encoding': body === gzip ? 'gzip' : 'zstd' } }),
      ),
      sendOtlp(pulse.http, key, snappy, { path: '/api/v1/write', headers: { 'content-encoding': 'snappy' } }),
    ]);
    // One at a time is measured; those beside it may be sent away until it is known.
    const statuses = answers.slice(0, 4).map(({ status }) => status);
    door.expect(
      'bombs',
      statuses.map((status) => (status === 503 ? 413 : status)),
      [413, 413, 413, 413],
    );
    door.expect('a bomb of them is known', statuses.includes(413), true);
    const last = answers[4]?.status ?? 0;
    door.expect('a lying snappy block', last === 400 || last === 413 || last === 503, true);
  }
}

async function sizes(door: Door): Promise<void> {
  const found: number[] = [];
  for (const more of [-1, 0, 1]) found.push((await sendSized(door, more)).status);
  door.expect('20 MiB − 1, 20 MiB, 20 MiB + 1', found, [200, 200, 413]);
}

interface SlowSender {
  readonly socket: Socket;
  readonly answer: Promise<string>;
}

function openSlow(base: string, head: string): SlowSender {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(head);
  // Not events.once: that fails on the reset of a connection whose answer is read already.
  const answer = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
  return { socket, answer };
}

/** Headers or a body, a byte now and then: each connection is answered 408 and closed in its time, and nobody else waits for it. */
async function slowSenders(door: Door): Promise<void> {
  const { pulse, key } = door;
  const each = door.size === 'full' ? 200 : 10;
  const start = `POST /v1/metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n`;
  const body = `${start}content-type: application/x-protobuf\r\ncontent-length: 100000\r\n\r\n`;
  const senders = [
    ...Array.from({ length: each }, () => openSlow(pulse.otlpHttp, start)),
    // The tenant's own bound on requests at once holds the other connections off.
    ...Array.from({ length: Math.min(each, 20) }, () => openSlow(pulse.otlpHttp, body)),
  ];
  const began = Date.now();
  const drip = setInterval(() => {
    for (const { socket } of senders) if (socket.writable) socket.write('a');
  }, 100);
  const other = await Promise.all(Array.from({ length: 5 }, () => sendPoint(door)));
  door.expect(
    'requests beside the slow ones',
    other.map(({ status }) => status),
    [200, 200, 200, 200, 200],
  );
  const answers = await Promise.race([
    Promise.all(senders.map(({ answer }) => answer)),
    sleep((timeoutSeconds + 6) * 1000).then(() => null),
  ]);
  clearInterval(drip);
  for (const { socket } of senders) socket.destroy();
  if (answers === null) door.expect('slow senders', 'still connected', 'closed');
  else {
    const statuses = new Set(answers.map((text) => /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 'no answer'));
    door.expect('answers to slow senders', [...statuses], ['408']);
  }
  if (Date.now() - began > (timeoutSeconds + 5) * 1000) door.expect('slow senders', 'closed late', 'closed in time');
}

/** Two tenants announce requests of the largest size and stall: a third does not fit and is turned away before its body is read, one that stalls gets no second one, and afterwards all is taken. */
async function overload(door: Door): Promise<void> {
  const { pulse } = door;
  const [first = '', second = '', third = ''] = door.others;
  const head = (key: string) =>
    `POST /v1/metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${requestBytes}\r\n\r\n`;
  const holding = [openSlow(pulse.otlpHttp, head(first)), openSlow(pulse.otlpHttp, head(second))];
  await sleep(300);
  const refused = await sendSized(door, 0, third);
  door.expect('a request beyond what fits', [refused.status, refused.retryAfter], [503, '1']);
  const point = encodePoints({ metric: 'm', timeMs: Date.now(), count: 1, series: () => 's' });
  const greedy = await sendOtlp(pulse.otlpHttp, first, point);
  door.expect('another one of a tenant that stalls', [greedy.status, greedy.retryAfter], [429, '1']);
  door.expect('a small request beside them', (await sendPoint(door)).status, 200);
  for (const { socket } of holding) socket.destroy();
  await Promise.all(holding.map(({ answer }) => answer));
  let again = await sendSized(door, 0, third);
  for (let attempt = 0; again.status === 503 && attempt < 20; attempt++) {
    await sleep(100);
    again = await sendSized(door, 0, third);
  }
  door.expect('the same request afterwards', again.status, 200);
}
