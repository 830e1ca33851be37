import { compressSync } from 'snappy';
import { createOtlpDecoder, timeBounds } from 'streams/otlp';
import { encodeMessage, type Message, type SeriesModel, toMessage } from 'streams/otlp/remote-write-messages';
import { expect, test } from 'vitest';
import { logDown, openTestDoor, receivedAtMs, type TestDoor } from '../testing/door.ts';

const v1 = 'application/x-protobuf';
const v2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
const versions = [
  ['1.0', v1],
  ['2.0', v2],
] as const;

type Labels = readonly (readonly [string, string])[];
const up = (extra: Labels = []): Labels => [['__name__', 'up'], ['job', 'node'], ...extra];
const at = (timestamp: number, value = 1): Message => ({ value, timestamp });

const body = (version: '1.0' | '2.0', series: readonly Partial<SeriesModel>[]): Buffer =>
  Buffer.from(compressSync(Buffer.from(encodeMessage(version, toMessage(version, series)))));

const send = (
  door: TestDoor,
  payload: Uint8Array,
  headers: Record<string, string | undefined> = {},
  app = door.otlpHttp,
) => {
  const all = { authorization: 'Bearer alpha', 'content-type': v1, 'content-encoding': 'snappy', ...headers };
  const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return app.inject({
    method: 'POST',
    url: '/api/v1/write',
    headers: Object.fromEntries(given),
    payload: Buffer.from(payload),
  });
};

const written = (headers: Record<string, unknown>) =>
  ['samples', 'histograms', 'exemplars'].map((name) => headers[`x-prometheus-remote-write-${name}-written`]);

function stored(door: TestDoor) {
  const decoder = createOtlpDecoder({ maxSeries: 1000 });
  for (const { payload } of door.appended) decoder.metrics(payload, 7, timeBounds(receivedAtMs));
  const { points, exemplars, histograms, exponentialHistograms } = decoder.takeMetrics();
  const rows = Array.from({ length: points.length }, (_one, i) => ({
    metric: points.series[i]?.metric,
    kind: points.series[i]?.kind,
    attributes: Object.fromEntries(points.series[i]?.attributes ?? []),
    timeMs: points.timeMs[i],
    value: points.value[i],
    flags: points.flags[i],
  }));
  return { rows, exemplars, histograms, exponentialHistograms };
}

for (const [version, contentType] of versions) {
  test(`${version}: a sample is answered 204 without a body, on both ports, when it is on the log`, async () => {
    const door = await openTestDoor();
    const payload = body(version, [{ labels: up(), samples: [at(receivedAtMs, 0.5)] }]);
    for (const app of [door.http, door.otlpHttp]) {
      const answer = await send(door, payload, { 'content-type': contentType }, app);
      expect([answer.statusCode, answer.rawPayload.length]).toEqual([204, 0]);
      expect(written(answer.headers)).toEqual(
        version === '2.0'
          ? ['1', '0', '0'].map((text) => expect.toSatisfy((one) => String(one) === text))
          : [undefined, undefined, undefined],
      );
    }
    expect(door.envelopes()).toMatchObject([
      { tenant: 'isp-alpha', signal: 'metrics', encoding: 'otlp', receivedAt: receivedAtMs, counts: [{ records: 1 }] },
      {},
    ]);
    expect(stored(door).rows[0]).toEqual({
      metric: 'up',
      kind: 'gauge',
      attributes: { job: 'node' },
      timeMs: receivedAtMs,
      value: 0.5,
      flags: 0,
    });
  });

  test(`${version}: what is invalid is left out, named, and answered 400; the rest is stored`, async () => {
    const door = await openTestDoor();
    const payload = body(version, [
      { labels: up(), samples: [at(receivedAtMs)] },
      { labels: up([['job', 'again']]), samples: [at(receivedAtMs)] },
      { labels: up([['zone', 'a']]), samples: [at(receivedAtMs), at(receivedAtMs, 2), at(receivedAtMs)] },
      { labels: [['job', 'nameless']], samples: [at(receivedAtMs)] },
      { labels: up([['zone', 'b']]), samples: [at(0), at(receivedAtMs + 25 * 3_600_000)] },
    ]);
    const answer = await send(door, payload, { 'content-type': contentType });
    expect([answer.statusCode, answer.headers['content-type'], answer.json().code]).toEqual([
      400,
      'application/problem+json',
      'remote_write.partial',
    ]);
    const { detail } = answer.json();
    expect(detail).toContain('3 of 8 samples');
    for (const reason of ['duplicate_label', 'duplicate_timestamp', 'unnamed_metric', 'too_old', 'too_far_ahead']) {
      expect(detail).toContain(`1 ${reason}`);
    }
    expect(detail).toContain('{__name__="up", job="node", job="again"}: label "job" stands twice');
    if (version === '2.0') expect(written(answer.headers).map(String)).toEqual(['3', '0', '0']);
    expect(stored(door).rows.map(({ value }) => value)).toEqual([1, 1]);
    expect(await door.metrics()).toContain(
      'pulse_ingest_rejected_total{signal="metrics",reason="duplicate_timestamp"} 1',
    );
  });

  test(`${version}: samples out of order and a stale marker are stored as they came`, async () => {
    const door = await openTestDoor();
    const message = encodeMessage(
      version,
      toMessage(version, [
        {
          labels: up(),
          samples: [at(receivedAtMs), at(receivedAtMs - 5000, Number.NaN), at(receivedAtMs - 9000, 7.25)],
        },
      ]),
    );
    // The marker is one NaN among many: its bits are put where the value 7.25 stands.
    const bytes = Buffer.from(message);
    const place = Buffer.alloc(8);
    place.writeDoubleLE(7.25);
    Buffer.from([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]).copy(bytes, bytes.indexOf(place));
    const answer = await send(door, compressSync(bytes) as Buffer, { 'content-type': contentType });
    expect(answer.statusCode).toBe(204);
    expect(stored(door).rows.map(({ timeMs, value, flags }) => [timeMs, flags === 1 ? 'none' : value])).toEqual([
      [receivedAtMs, 1],
      [receivedAtMs - 5000, Number.NaN],
      [receivedAtMs - 9000, 'none'],
    ]);
  });

  test(`${version}: another tenant in a label refuses the whole request`, async () => {
    const door = await openTestDoor();
    const series = [
      { labels: up(), samples: [at(receivedAtMs)] },
      { labels: up([['dotmac_tenant_id', 'isp-beta']]), samples: [at(receivedAtMs)] },
    ];
    const answer = await send(door, body(version, series), { 'content-type': contentType });
    expect([answer.statusCode, answer.json().code]).toEqual([403, 'ingest.tenant_mismatch']);
    expect(door.appended).toEqual([]);
    if (version === '2.0') expect(written(answer.headers).map(String)).toEqual(['0', '0', '0']);
    const own = [{ labels: up([['dotmac_tenant_id', 'isp-alpha']]), samples: [at(receivedAtMs)] }];
    expect((await send(door, body(version, own), { 'content-type': contentType })).statusCode).toBe(204);
  });

  test(`${version}: a fault of ours is 503 with Retry-After, and the resend is taken`, async () => {
    const door = await openTestDoor();
    const payload = body(version, [{ labels: up(), samples: [at(receivedAtMs)] }]);
    for (const failure of [logDown(), new Error('anything')]) {
      door.failLog(failure);
      const answer = await send(door, payload, { 'content-type': contentType });
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, expect.anything()]);
      expect(answer.body).not.toContain('anything');
    }
    door.failLog(null);
    expect((await send(door, payload, { 'content-type': contentType })).statusCode).toBe(204);
  });

  test(`${version}: what the tenant's limits cut off is answered 400 and not counted as written`, async () => {
    const door = await openTestDoor();
    door.setLimits('isp-alpha', { attributesPerRecord: 2 });
    const series = [
      { labels: up(), samples: [at(receivedAtMs)] },
      {
        labels: up([
          ['a', '1'],
          ['b', '2'],
          ['c', '3'],
        ]),
        samples: [at(receivedAtMs)],
      },
    ];
    const answer = await send(door, body(version, series), { 'content-type': contentType });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().detail).toContain('1 of 2 samples');
    if (version === '2.0') expect(written(answer.headers).map(String)).toEqual(['1', '0', '0']);
    expect(stored(door).rows).toHaveLength(1);
  });

  test(`${version}: an exemplar in the request after its sample is stored with the series`, async () => {
    const door = await openTestDoor();
    const headers = { 'content-type': contentType };
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const labels: Labels = [
      ['__name__', 'hits_total'],
      ['job', 'shop'],
    ];
    const exemplar = (timestamp: number) => ({ labels: [['trace_id', trace]] as const, value: 0.25, timestamp });
    const sample = [{ labels, samples: [at(receivedAtMs - 1000, 41)], exemplars: [exemplar(receivedAtMs - 1000)] }];
    expect((await send(door, body(version, sample), headers)).statusCode).toBe(204);
    const later = [{ labels, samples: [at(receivedAtMs, 42)] }];
    expect((await send(door, body(version, later), headers)).statusCode).toBe(204);
    const lonely = [{ labels, exemplars: [exemplar(receivedAtMs)] }];
    const answer = await send(door, body(version, lonely), headers);
    expect(answer.statusCode).toBe(204);
    if (version === '2.0') expect(written(answer.headers).map(String)).toEqual(['0', '0', '1']);
    const { rows, exemplars } = stored(door);
    // The point that carries it is the last one, sent again as it was: the store keeps it once.
    expect(rows.map(({ timeMs, value }) => [timeMs, value])).toEqual([
      [receivedAtMs - 1000, 41],
      [receivedAtMs, 42],
      [receivedAtMs, 42],
    ]);
    expect(exemplars.map((one) => [one.timeMs, Buffer.from(one.traceId).toString('hex')])).toEqual([
      [receivedAtMs - 1000, trace],
      [receivedAtMs, trace],
    ]);
  });
}

test('2.0: an exemplar of a series that was never seen is not written; 1.0 has no answer for it', async () => {
  const door = await openTestDoor();
  const lonely = [{ labels: up(), exemplars: [{ labels: [], value: 1, timestamp: receivedAtMs }] }];
  const answer = await send(door, body('2.0', lonely), { 'content-type': v2 });
  expect([answer.statusCode, ...written(answer.headers).map(String)]).toEqual([400, '0', '0', '0']);
  expect(answer.json().detail).toContain('1 exemplar_without_point');
  expect((await send(door, body('1.0', lonely))).statusCode).toBe(204);
});

test('2.0: names may be any UTF-8; 1.0 refuses them', async () => {
  const door = await openTestDoor();
  const labels: Labels = [
    ['__name__', 'dotmac.customers.active'],
    ['größe', 'x'],
  ];
  const series = [{ labels, samples: [at(receivedAtMs, 12)], type: 2 }];
  expect((await send(door, body('2.0', series), { 'content-type': v2 })).statusCode).toBe(204);
  expect(stored(door).rows).toMatchObject([{ metric: 'dotmac.customers.active', attributes: { größe: 'x' } }]);
  const refused = await send(door, body('1.0', series));
  expect([refused.statusCode, refused.json().detail]).toEqual([400, expect.stringContaining('1 invalid_name')]);
});

test('2.0: a reference outside the symbols loses its own series only', async () => {
  const door = await openTestDoor();
  const message = toMessage('2.0', [{ labels: up(), samples: [at(receivedAtMs)] }]);
  const broken = { labelsRefs: [1, 99], samples: [at(receivedAtMs)], histograms: [], exemplars: [] };
  const odd = { labelsRefs: [1], samples: [at(receivedAtMs)], histograms: [], exemplars: [] };
  const timeseries = [...(message['timeseries'] as Message[]), broken, odd];
  const payload = compressSync(Buffer.from(encodeMessage('2.0', { ...message, timeseries }))) as Buffer;
  const answer = await send(door, payload, { 'content-type': v2 });
  expect([answer.statusCode, ...written(answer.headers).map(String)]).toEqual([400, '1', '0', '0']);
  expect(answer.json().detail).toContain('2 invalid_reference');
});

test('1.0: metadata alone is taken and stores nothing', async () => {
  const door = await openTestDoor();
  const message = { timeseries: [], metadata: [{ type: 1, metricFamilyName: 'hits', help: 'Hits.', unit: '' }] };
  const payload = compressSync(Buffer.from(encodeMessage('1.0', message))) as Buffer;
  expect((await send(door, payload)).statusCode).toBe(204);
  expect(door.appended).toEqual([]);
});

const good = body('1.0', [{ labels: up(), samples: [at(receivedAtMs)] }]);
const plain = encodeMessage('1.0', toMessage('1.0', [{ labels: up(), samples: [at(receivedAtMs)] }]));
/** States 4 GiB and has four bytes. */
const bomb = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0]);
const badInput: readonly (readonly [string, Uint8Array, Record<string, string | undefined>, number, string])[] = [
  ['no credential', good, { authorization: undefined }, 401, 'access.unauthenticated'],
  ['JSON', Buffer.from('{}'), { 'content-type': 'application/json' }, 415, 'ingest.media_type'],
  ['no content type', good, { 'content-type': undefined }, 415, 'ingest.media_type'],
  ['an unknown message', good, { 'content-type': `${v1};proto=any.Thing` }, 415, 'ingest.media_type'],
  ['gzip', good, { 'content-encoding': 'gzip' }, 415, 'ingest.encoding_unsupported'],
  ['a body that is not compressed', plain, {}, 400, 'ingest.encoding_malformed'],
  ['an empty body', Buffer.alloc(0), {}, 400, 'ingest.encoding_malformed'],
  ['the framed format', Buffer.from('ff060000734e61507059', 'hex'), {}, 400, 'ingest.encoding_malformed'],
  ['a length that no block can have', bomb, {}, 413, 'ingest.too_large'],
  [
    'a length beyond what its bytes can make',
    Buffer.from([0x80, 0x80, 0x40, 0, 0]),
    {},
    400,
    'ingest.encoding_malformed',
  ],
  ['a truncated block', good.subarray(0, good.length - 3), {}, 400, 'ingest.encoding_malformed'],
  [
    'bytes that are no message',
    compressSync(Buffer.from([0x0a, 0x7f, 1])) as Buffer,
    {},
    400,
    'remote_write.malformed',
  ],
  ['a body above the limit', Buffer.alloc(1024 * 1024 + 1), {}, 413, 'ingest.too_large'],
];
for (const [name, payload, headers, status, code] of badInput) {
  test(`${name} is ${status} ${code}, and nothing is stored`, async () => {
    const door = await openTestDoor({ maxBodyMiB: 1, maxDecompressedMiB: 2 });
    const answer = await send(door, payload, headers);
    expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
    expect(door.appended).toEqual([]);
  });
}

for (const header of [
  'application/x-protobuf; proto=io.prometheus.write.v2.Request',
  'Application/X-Protobuf;Proto="io.prometheus.write.v2.Request"; charset=utf-8',
]) {
  test(`content type ${header} is 2.0`, async () => {
    const door = await openTestDoor();
    const payload = body('2.0', [{ labels: up(), samples: [at(receivedAtMs)] }]);
    const answer = await send(door, payload, { 'content-type': header, 'x-prometheus-remote-write-version': '2.7.1' });
    expect([answer.statusCode, ...written(answer.headers).map(String)]).toEqual([204, '1', '0', '0']);
  });
}

test('a small message of references that stands for a huge one is refused before it is built', async () => {
  const door = await openTestDoor({ maxDecompressedMiB: 2 });
  const long = 'x'.repeat(10_000);
  const message = {
    symbols: ['', '__name__', 'up', 'a', long, 'n'],
    timeseries: Array.from({ length: 1000 }, () => ({
      labelsRefs: [1, 2, 3, 4],
      samples: [at(receivedAtMs)],
    })),
  };
  const payload = compressSync(Buffer.from(encodeMessage('2.0', message))) as Buffer;
  expect(payload.length).toBeLessThan(50_000);
  const answer = await send(door, payload, { 'content-type': v2 });
  expect([answer.statusCode, answer.json().code]).toEqual([413, 'remote_write.too_large']);
});

test('a message under the name of the other version is refused: its series would be passed over and acknowledged', async () => {
  const series = [{ labels: up(), samples: [at(receivedAtMs)] }];
  for (const [sent, contentType] of [
    ['1.0', v2],
    ['2.0', v1],
  ] as const) {
    const door = await openTestDoor();
    const answer = await send(door, body(sent, series), { 'content-type': contentType });
    expect([answer.statusCode, answer.json().code]).toEqual([400, 'remote_write.malformed']);
    expect(door.appended).toEqual([]);
    expect(written(answer.headers)).toEqual(contentType === v2 ? ['0', '0', '0'] : [undefined, undefined, undefined]);
  }
});
