import { gzipSync } from 'node:zlib';
import { CloudEvent, HTTP } from 'cloudevents';
import { expect, test } from 'vitest';
import { logDown, openTestDoor, receivedAtMs, type TestDoor } from '../testing/door.ts';

const dayMs = 86_400_000;
const at = (ms: number) => new Date(ms).toISOString();
const event = (overrides: Record<string, unknown> = {}) => ({
  specversion: '1.0',
  type: 'api_calls',
  source: '/isp/alpha',
  id: 'e-1',
  subject: 'plugin-crm',
  time: at(receivedAtMs - 1000),
  data: { value: '12.50', route: '/v1', count: 3, nested: { a: 1 } },
  ...overrides,
});

const send = (
  door: TestDoor,
  body: unknown,
  headers: Record<string, string> = {},
  url = '/api/v1/plugins/usage-events',
) =>
  door.http.inject({
    method: 'POST',
    url,
    headers: { authorization: 'Bearer alpha', 'content-type': 'application/cloudevents+json', ...headers },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });

test('one structured event is taken with every digit, other data as strings', async () => {
  const door = await openTestDoor();
  const answer = await send(door, event());
  expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 1 }]);
  expect(door.events()).toEqual([
    {
      type: 'api_calls',
      source: '/isp/alpha',
      id: 'e-1',
      subject: 'plugin-crm',
      time: at(receivedAtMs - 1000),
      value: '12.50',
      attributes: { route: '/v1', count: '3', nested: '{"a":1}' },
    },
  ]);
});

test('batch, plain JSON and the alias are the same door; sums are exact by hour', async () => {
  const door = await openTestDoor();
  const batch = [
    event({ data: { value: '0.1' } }),
    event({ id: 'e-2', data: { value: '0.2' } }),
    event({ id: 'e-3', data: { value: 9007199254740992 }, time: at(receivedAtMs - 3_600_000) }),
  ];
  const hour = Math.floor(receivedAtMs / 3_600_000) * 3600;
  for (const [type, url] of [
    ['application/cloudevents-batch+json', '/api/v1/plugins/usage-events'],
    ['application/json', '/api/v1/plugins/usage'],
  ] as const) {
    const answer = await send(door, batch, { 'content-type': type }, url);
    expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 3 }]);
  }
  const counts = [
    { hour: hour - 3600, records: 1, sum: '9007199254740992' },
    { hour, records: 2, sum: '0.3' },
  ];
  expect(door.envelopes()).toMatchObject([
    { signal: 'events', encoding: 'cloudevents', tenant: 'isp-alpha', tenantNumber: 7, counts },
    { counts },
  ]);
});

test('binary mode takes the attributes from ce- headers', async () => {
  const door = await openTestDoor();
  const { data, ...attributes } = event({ subject: 'Zoë' });
  const headers = Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [`ce-${name}`, encodeURIComponent(String(value))]),
  );
  const answer = await send(door, data, { 'content-type': 'application/json', ...headers });
  expect([answer.statusCode, door.events()[0]?.subject]).toEqual([200, 'Zoë']);
});

test('an event without time gets the time of receipt, and the answer says so', async () => {
  const door = await openTestDoor();
  const answer = await send(door, event({ time: undefined }));
  expect(answer.json()).toEqual({ accepted: 1, withoutTime: 1 });
  expect(door.events()[0]?.time).toBe(at(receivedAtMs));
});

test('events older than 32 days need the scope backfill', async () => {
  const door = await openTestDoor();
  const old = event({ time: at(receivedAtMs - 33 * dayMs) });
  const refused = await send(door, old);
  expect([refused.statusCode, refused.json().code, refused.json().field]).toEqual([
    400,
    'ingest.event_too_old',
    'time',
  ]);
  expect(door.appended).toEqual([]);
  expect((await send(door, old, { authorization: 'Bearer alpha-backfill' })).statusCode).toBe(200);
});

const refusals: readonly (readonly [string, unknown, string, string])[] = [
  ['a negative value', event({ data: { value: '-0.5' } }), 'ingest.event_negative', 'data.value'],
  ['a negative number', event({ data: { value: -3 } }), 'ingest.event_negative', 'data.value'],
  ['data beside data_base64', event({ data_base64: 'e30=' }), 'ingest.event_invalid', 'data_base64'],
  ['data_base64 that is none', event({ data: undefined, data_base64: '{}' }), 'ingest.event_invalid', 'data_base64'],
  ['data_base64 without JSON', event({ data: undefined, data_base64: 'eA==' }), 'ingest.event_invalid', 'data_base64'],
  ['data that is not JSON', event({ datacontenttype: 'text/xml' }), 'ingest.event_invalid', 'datacontenttype'],
  ['a millisecond beyond 32 days', event({ time: at(receivedAtMs - 32 * dayMs - 1) }), 'ingest.event_too_old', 'time'],
  ['a millisecond beyond 5 minutes', event({ time: at(receivedAtMs + 300_001) }), 'ingest.event_in_future', 'time'],
  ['a fractional JSON number', event({ data: { value: 1.5 } }), 'ingest.event_invalid', 'data.value'],
  ['a whole number beyond 2^53', event({ data: { value: 2 ** 53 + 2 } }), 'ingest.event_invalid', 'data.value'],
  ['an exponent', event({ data: { value: '1e3' } }), 'ingest.event_invalid', 'data.value'],
  ['13 fraction digits', event({ data: { value: '0.1234567890123' } }), 'ingest.event_invalid', 'data.value'],
  ['27 integer digits', event({ data: { value: '1'.repeat(27) } }), 'ingest.event_invalid', 'data.value'],
  ['no value', event({ data: {} }), 'ingest.event_invalid', 'data.value'],
  ['no data', event({ data: undefined }), 'ingest.event_invalid', 'data'],
  ['no id', event({ id: undefined }), 'ingest.event_invalid', 'id'],
  ['another specversion', event({ specversion: '0.3' }), 'ingest.event_invalid', 'specversion'],
  ['a time without zone', event({ time: '2026-11-21T10:00:00' }), 'ingest.event_invalid', 'time'],
  ['301 seconds ahead', event({ time: at(receivedAtMs + 301_000) }), 'ingest.event_in_future', 'time'],
  [
    'the fourth of a batch',
    [event(), event(), event(), event({ data: { value: true } })],
    'ingest.event_invalid',
    '[3].data.value',
  ],
];
for (const [name, body, code, field] of refusals) {
  test(`${name} is refused by field, and nothing of the request is stored`, async () => {
    const door = await openTestDoor();
    const answer = await send(door, body);
    expect([answer.statusCode, answer.json().code, answer.json().field]).toEqual([400, code, field]);
    expect(door.appended).toEqual([]);
  });
}

test('the first 20 mistakes are listed', async () => {
  const door = await openTestDoor();
  const answer = await send(
    door,
    Array.from({ length: 25 }, () => event({ id: '' })),
  );
  expect(answer.json().detail).toContain('[19].id');
  expect(answer.json().detail).not.toContain('[20].id');
  expect(answer.json().detail).toContain('5 more');
});

const doors: readonly (readonly [string, unknown, Record<string, string>, number])[] = [
  ['an unknown key', event(), { authorization: 'Bearer nobody' }, 401],
  ["another tenant's header", event(), { 'x-tenant-id': 'isp-beta' }, 403],
  ['malformed JSON', '{', {}, 400],
  ['another content type', 'x', { 'content-type': 'text/csv' }, 415],
  ['a body above the limit', `"${'x'.repeat(1024 * 1024)}"`, {}, 413],
];
for (const [name, body, headers, status] of doors) {
  test(`${name} is ${status}, and nothing is stored`, async () => {
    const door = await openTestDoor({ maxBodyMiB: 1 });
    expect((await send(door, body, headers)).statusCode).toBe(status);
    expect(door.appended).toEqual([]);
  });
}

test('a log that fails is 503, not an acceptance', async () => {
  const door = await openTestDoor();
  door.failLog(logDown());
  expect((await send(door, event())).statusCode).toBe(503);
});

test('a large batch becomes several records with their own sums', async () => {
  const door = await openTestDoor();
  const batch = Array.from({ length: 3000 }, (_, i) =>
    event({ id: `e-${i}`, data: { value: '0.1', note: 'x'.repeat(500) } }),
  );
  expect((await send(door, batch)).json()).toEqual({ accepted: 3000 });
  const envelopes = door.envelopes();
  expect(envelopes.length).toBeGreaterThan(1);
  for (const message of door.appended) expect(message.payload.length).toBeLessThanOrEqual(1024 * 1024);
  const sums = envelopes.flatMap((envelope) => envelope.counts).map((count) => Number(count.sum) * 10);
  expect(sums.reduce((a, b) => a + b, 0)).toBe(3000);
  expect(door.events().length).toBe(3000);
});

test.each(['9007199254740993', '9007199254740992.4', '1.00000000000000000001', '1e400'])(
  'a number that reading would round, %s, is refused instead of billed as another',
  async (number) => {
    const door = await openTestDoor();
    const { data: _data, ...attributes } = event();
    const body = `${JSON.stringify(attributes).slice(0, -1)},"data":{"value":${number}}}`;
    const headers = { 'content-type': 'application/json' };
    for (const text of [body, `[${body}]`]) {
      const answer = await send(door, text, headers);
      expect([answer.statusCode, answer.json().code]).toEqual([400, 'ingest.event_invalid']);
      expect(answer.json().field).toMatch(/data\.value$/);
    }
    expect(door.envelopes()).toEqual([]);
  },
);

test('a whole number with a zero fraction and fractions inside attributes are taken as they are', async () => {
  const door = await openTestDoor();
  const { data: _data, ...attributes } = event();
  const body = `${JSON.stringify(attributes).slice(0, -1)},"data":{"value":12.0,"nested":{"value":1.5}}}`;
  expect((await send(door, body)).statusCode).toBe(200);
  expect(door.events()[0]).toMatchObject({ value: '12', attributes: { nested: '{"value":1.5}' } });
});

test('exactly 32 days back and 5 minutes ahead are in time', async () => {
  const door = await openTestDoor();
  const edges = [
    event({ time: at(receivedAtMs - 32 * dayMs) }),
    event({ id: 'e-2', time: at(receivedAtMs + 300_000) }),
  ];
  expect((await send(door, edges)).json()).toEqual({ accepted: 2 });
});

test('times with offsets and fractions become UTC milliseconds; attributes that are null were not set', async () => {
  const door = await openTestDoor();
  const sent = event({
    time: '2026-11-21T12:29:59.1239999+02:00',
    subject: null,
    datacontenttype: null,
    dataschema: null,
  });
  expect((await send(door, sent)).statusCode).toBe(200);
  expect(door.events()[0]).toMatchObject({ time: '2026-11-21T10:29:59.123Z', subject: '' });
});

test('data in base64 is JSON all the same, and its numbers are held to the same digits', async () => {
  const door = await openTestDoor();
  const base64 = (json: string) => Buffer.from(json).toString('base64');
  const sent = event({ data: undefined, data_base64: base64('{"value":"12.50","route":"/v1"}') });
  expect((await send(door, sent)).statusCode).toBe(200);
  expect(door.events()[0]).toMatchObject({ value: '12.50', attributes: { route: '/v1' } });
  const rounded = await send(door, event({ data: undefined, data_base64: base64('{"value":9007199254740993}') }));
  expect([rounded.statusCode, rounded.json().field]).toEqual([400, 'data.value']);
});

test('the media type decides the mode: copies of attributes in headers change nothing', async () => {
  const door = await openTestDoor();
  const answer = await send(door, event(), { 'ce-specversion': '1.0', 'ce-id': 'other', 'ce-type': 'ai_call' });
  expect([answer.statusCode, door.events()[0]?.id, door.events()[0]?.type]).toEqual([200, 'e-1', 'api_calls']);
  const batch = { 'content-type': 'application/cloudevents-batch+json; charset=UTF-8' };
  const single = await send(door, event(), batch);
  expect([single.statusCode, single.json().field]).toEqual([400, '(body)']);
  expect((await send(door, [], batch)).json()).toEqual({ accepted: 0 });
  expect((await send(door, event(), { 'content-type': 'application/cloudevents+avro' })).statusCode).toBe(415);
});

test('binary mode: any JSON media type, quoted and encoded headers; invalid encoding is refused by header', async () => {
  const door = await openTestDoor();
  const headers = {
    'content-type': 'application/vnd.isp.usage+json; charset=utf-8',
    'CE-SpecVersion': '1.0',
    'ce-type': 'api_calls',
    'ce-source': '"/isp/\\"alpha\\" %E2%82%AC"',
    'ce-id': 'b-1',
    'ce-traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
  expect((await send(door, { value: '1' }, headers)).statusCode).toBe(200);
  expect(door.events()[0]).toMatchObject({ source: '/isp/"alpha" €', id: 'b-1', attributes: {} });
  const overlong = await send(door, { value: '1' }, { ...headers, 'ce-id': '%C0%A0' });
  expect([overlong.statusCode, overlong.json().field]).toEqual([400, 'headers.ce-id']);
});

test('a webhook validation is answered', async () => {
  const door = await openTestDoor();
  const answer = await door.http.inject({
    method: 'OPTIONS',
    url: '/api/v1/plugins/usage-events',
    headers: { 'webhook-request-origin': 'eventemitter.example.com' },
  });
  expect([answer.statusCode, answer.headers['webhook-allowed-origin'], answer.headers['webhook-allowed-rate']]).toEqual(
    [204, 'eventemitter.example.com', '*'],
  );
});

test('the CloudEvents SDK is understood in every mode', async () => {
  const door = await openTestDoor();
  const one = (id: string) =>
    new CloudEvent({
      id,
      type: 'api_calls',
      source: '/sdk',
      subject: 'Zoë',
      time: at(receivedAtMs),
      traceid: 'x',
      data: { value: '2.5', note: 'é' },
    });
  const base64 = one('sdk-4').cloneWith({ data: Buffer.from('{"value":"3"}') }, false);
  const messages = [HTTP.binary(one('sdk-1')), HTTP.structured(one('sdk-2')), HTTP.structured(base64)];
  for (const { headers, body } of messages) {
    const answer = await send(door, body as string, headers as Record<string, string>);
    expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 1 }]);
  }
  expect(door.events().map(({ id, subject, value }) => [id, subject, value])).toEqual([
    ['sdk-1', 'Zoë', '2.5'],
    ['sdk-2', 'Zoë', '2.5'],
    ['sdk-4', 'Zoë', '3'],
  ]);
});

test('an event before 1970 is refused also with scope backfill: the log would take what no table can', async () => {
  const door = await openTestDoor();
  const authorization = 'Bearer alpha-backfill';
  for (const time of ['1969-12-31T23:59:59.999Z', '0000-01-01T00:00:00Z', '1970-01-01T00:00:00+00:01']) {
    const answer = await send(door, [event(), event({ id: 'e-2', time })], { authorization });
    expect([answer.statusCode, answer.json().code, answer.json().field]).toEqual([
      400,
      'ingest.event_too_old',
      '[1].time',
    ]);
  }
  expect((await send(door, event({ time: '1970-01-01T00:00:00Z' }), { authorization })).statusCode).toBe(200);
  expect(door.appended).toHaveLength(1);
});

test('an identity that UTF-8 cannot carry is refused: two of them would be stored as one', async () => {
  const door = await openTestDoor();
  for (const name of ['id', 'source', 'type', 'subject']) {
    for (const written of ['\\ud800', 'a\\udc00b', '\\u0000', '\\u0085']) {
      const body = JSON.stringify(event({ [name]: 'X' })).replace('"X"', `"${written}"`);
      const answer = await send(door, body);
      expect([answer.statusCode, answer.json().code, answer.json().field]).toEqual([400, 'ingest.event_invalid', name]);
    }
  }
  const bytes = Buffer.concat([
    Buffer.from(JSON.stringify(event({ id: 'X' })).split('X')[0] ?? ''),
    Buffer.from([0xff]),
    Buffer.from(JSON.stringify(event({ id: 'X' })).split('X')[1] ?? ''),
  ]);
  const answer = await door.http.inject({
    method: 'POST',
    url: '/api/v1/plugins/usage',
    headers: { authorization: 'Bearer alpha', 'content-type': 'application/cloudevents+json' },
    payload: bytes,
  });
  expect([answer.statusCode, answer.json().code]).toEqual([400, 'ingest.event_invalid']);
  const fine = await send(door, event({ id: '\u{1F4B6}-\u00e9-\u4e16' }));
  expect([fine.statusCode, door.events()[0]?.id]).toEqual([200, '\u{1F4B6}-\u00e9-\u4e16']);
});

test('small letters in an RFC 3339 time, a byte order mark and binary data without a type are taken', async () => {
  const door = await openTestDoor();
  const time = at(receivedAtMs - 1000);
  expect((await send(door, event({ time: time.toLowerCase() }))).statusCode).toBe(200);
  expect((await send(door, `\ufeff${JSON.stringify(event())}`)).statusCode).toBe(200);
  const binary = await door.http.inject({
    method: 'POST',
    url: '/api/v1/plugins/usage-events',
    headers: {
      authorization: 'Bearer alpha',
      'CE-SpecVersion': '1.0',
      'Ce-Type': 'api_calls',
      'cE-source': '/a',
      'ce-ID': 'x',
      'ce-time': time,
    },
    payload: Buffer.from('{"value":"3"}'),
  });
  expect(binary.statusCode).toBe(200);
  expect(door.events().map((one) => [one.time, one.value])).toEqual([
    [time, '12.50'],
    [time, '12.50'],
    [time, '3'],
  ]);
});

test('values that add up beyond the ledger are refused together: the log would take what the store sets aside', async () => {
  const door = await openTestDoor();
  const largest = (id: string, ms = receivedAtMs) =>
    event({ id, time: at(ms), data: { value: `${'9'.repeat(26)}.${'9'.repeat(12)}` } });
  const answer = await send(door, [largest('e-1'), event({ data: { value: '0.000000000001' } })]);
  expect([answer.statusCode, answer.json().code, answer.json().field]).toEqual([
    400,
    'ingest.event_invalid',
    'data.value',
  ]);
  expect(door.appended).toEqual([]);
  const apart = await send(door, [largest('e-1'), largest('e-2', receivedAtMs - 3_600_000)]);
  expect(apart.statusCode).toBe(200);
});

test('a compressed body is refused by its encoding, not called malformed', async () => {
  const door = await openTestDoor();
  for (const url of ['/api/v1/plugins/usage', '/api/v1/monitoring/metrics']) {
    for (const [encoding, payload] of [
      ['GZip', gzipSync(JSON.stringify(event()))],
      ['snappy', Buffer.from('x')],
    ] as const) {
      const answer = await door.http.inject({
        method: 'POST',
        url,
        headers: { authorization: 'Bearer alpha', 'content-type': 'application/json', 'content-encoding': encoding },
        payload,
      });
      expect([answer.statusCode, answer.json().code, answer.json().field]).toEqual([
        415,
        'ingest.encoding_unsupported',
        'headers.content-encoding',
      ]);
    }
  }
  expect((await send(door, event(), { 'content-encoding': 'identity' })).statusCode).toBe(200);
});
