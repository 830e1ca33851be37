import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { createSender, delayMs, rejectedRecords } from './http-sender.ts';

const ADDRESSES = { apiUrl: 'http://api', otlpUrl: 'http://otlp' };

function harness(answers: (Response | Error)[]) {
  const bodies: Buffer[] = [];
  const waits: number[] = [];
  const stop = new AbortController();
  const sender = createSender(ADDRESSES, stop.signal, {
    fetch: (async (_url: string, init: RequestInit) => {
      bodies.push(Buffer.from(init.body as Uint8Array));
      const answer = answers.shift() ?? new Response(null, { status: 200 });
      if (answer instanceof Error) throw answer;
      return answer;
    }) as unknown as typeof fetch,
    wait: async (ms) => {
      waits.push(ms);
    },
    random: () => 0,
  });
  return { sender, bodies, waits, stop };
}

it('resends the same bytes after 429, 503 and a broken connection, waiting as long as it is told', async () => {
  const { sender, bodies, waits } = harness([
    new Response('', { status: 429, headers: { 'retry-after': '2' } }),
    new TypeError('fetch failed'),
    new Response('', { status: 503 }),
  ]);
  await sender.otlp('metrics', 'k', Uint8Array.of(1, 2, 3));
  expect(bodies.length).toBe(4);
  for (const body of bodies) expect(body).toEqual(bodies[0]);
  expect([...gunzipSync(bodies[0] ?? Buffer.alloc(0))]).toEqual([1, 2, 3]);
  expect(waits).toEqual([2_000, 500, 1_000]);
});

it('a refusal is an error with the status and is not tried again', async () => {
  const { sender, bodies } = harness([new Response('{"code":"access.denied"}', { status: 403 })]);
  await expect(sender.otlp('traces', 'k', Uint8Array.of(1))).rejects.toMatchObject({
    code: 'fleet.refused',
    retryable: false,
  });
  expect(bodies.length).toBe(1);
});

it('stops when it is asked to', async () => {
  const { sender, stop } = harness([]);
  stop.abort();
  await expect(sender.events('k', [])).rejects.toMatchObject({ code: 'fleet.stopped' });
});

it('bounds its back-off', () => {
  expect(delayMs(undefined, 0, 0)).toBe(250);
  expect(delayMs(undefined, 50, 1)).toBe(18_750);
  expect(delayMs(new Response('', { headers: { 'retry-after': 'soon' } }), 1, 0)).toBe(500);
});

it('reads how many records a partial success refused', () => {
  expect(rejectedRecords(new Uint8Array(0))).toBe(0);
  expect(rejectedRecords(Uint8Array.of(0x0a, 3, 0x08, 0xac, 0x02))).toBe(300);
  const long = new Uint8Array(3 + 2 + 3 + 140);
  long.set([0x0a, 0x91, 0x01, 0x08, 0x05, 0x12, 0x8c, 0x01]);
  expect(rejectedRecords(long)).toBe(5);
  expect(rejectedRecords(Uint8Array.of(0x0a, 2, 0x12, 0))).toBe(0);
});
