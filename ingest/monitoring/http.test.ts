import { createOtlpDecoder } from 'streams/otlp';
import { expect, test } from 'vitest';
import { openTestDoor, receivedAtMs, type TestDoor } from '../testing/door.ts';

const at = new Date(receivedAtMs - 60_000).toISOString();
const everything = { oldestMs: 0, newestMs: 4e12 };

const send = (door: TestDoor, path: string, body: unknown, headers: Record<string, string> = {}) =>
  door.http.inject({
    method: 'POST',
    url: `/api/v1/monitoring/${path}`,
    headers: { authorization: 'Bearer alpha', ...headers },
    payload: body as object,
  });

function points(door: TestDoor) {
  const decoder = createOtlpDecoder();
  door.appended.forEach((message, i) => {
    if (door.envelopes()[i]?.signal === 'metrics') decoder.metrics(message.payload, 7, everything);
  });
  const { points } = decoder.takeMetrics();
  return points.series.map((series, i) => ({
    metric: series.metric,
    unit: series.unit,
    value: points.value[i],
    timeMs: points.timeMs[i],
    attributes: Object.fromEntries([...series.attributes].filter(([name]) => !name.startsWith('resource.'))),
  }));
}

const logs = (door: TestDoor) =>
  door.appended.flatMap((message, i) =>
    door.envelopes()[i]?.signal === 'logs' ? createOtlpDecoder().logs(message.payload, everything) : [],
  );

test('health checks become status and latency gauges, details become log records', async () => {
  const door = await openTestDoor();
  const checks = [
    { component: 'radius', status: 'up', checkedAt: at, latencyMs: 12.5 },
    { component: 'crm', status: 'down', checkedAt: at, detail: 'connection refused' },
    { component: 'dns', status: 'degraded', checkedAt: at },
  ];
  const answer = await send(door, 'health-checks', { checks });
  expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 3 }]);
  const timeMs = receivedAtMs - 60_000;
  const status = 'dotmac.health.status';
  expect(points(door)).toEqual([
    { metric: status, unit: '1', value: 1, timeMs, attributes: { component: 'radius', status: 'up' } },
    { metric: status, unit: '1', value: 0, timeMs, attributes: { component: 'crm', status: 'down' } },
    { metric: status, unit: '1', value: 1, timeMs, attributes: { component: 'dns', status: 'degraded' } },
    { metric: 'dotmac.health.latency', unit: 's', value: 0.0125, timeMs, attributes: { component: 'radius' } },
  ]);
  expect(logs(door).map(({ eventName, body }) => [eventName, body])).toEqual([
    ['dotmac.health.detail', 'connection refused'],
  ]);
});

test('metrics become gauges; one object without the array is one record', async () => {
  const door = await openTestDoor();
  const metric = {
    name: 'dotmac.tickets.open',
    value: 4,
    unit: '{ticket}',
    timestamp: at,
    attributes: { queue: 'a', vip: true },
  };
  expect((await send(door, 'metrics', metric)).json()).toEqual({ accepted: 1 });
  expect(points(door)).toMatchObject([
    { metric: 'dotmac.tickets.open', unit: '{ticket}', value: 4, attributes: { queue: 'a', vip: 'true' } },
  ]);
});

test('alerts become log records with the event name dotmac.alert; sent again they are the same record', async () => {
  const door = await openTestDoor();
  const alert = {
    name: 'link_down',
    severity: 'critical',
    startsAt: at,
    endsAt: null,
    labels: { site: 'x1' },
    summary: 'Link is down',
  };
  expect((await send(door, 'alerts', { alerts: [alert] })).json()).toEqual({ accepted: 1 });
  expect((await send(door, 'alerts', alert)).json()).toEqual({ accepted: 1 });
  const [first, second] = logs(door);
  expect(first).toMatchObject({
    eventName: 'dotmac.alert',
    body: 'Link is down',
    severityText: 'critical',
    severityNumber: 21,
  });
  expect(Object.fromEntries(first?.attributes ?? [])).toEqual({ 'alert.name': 'link_down', 'label.site': 'x1' });
  expect(second?.hash).toBe(first?.hash);
});

const refusals: readonly (readonly [string, string, unknown, Record<string, string>, number])[] = [
  ['an unknown key', 'metrics', { name: 'm', value: 1, timestamp: at }, { authorization: 'Bearer nobody' }, 401],
  ['an unknown status', 'health-checks', { component: 'x', status: 'fine', checkedAt: at }, {}, 400],
  ['a missing name', 'metrics', { metrics: [{ value: 1, timestamp: at }] }, {}, 400],
  ['a time without zone', 'alerts', { name: 'x', severity: 'info', startsAt: '2026-11-21T10:00:00' }, {}, 400],
  ['an empty list', 'metrics', { metrics: [] }, {}, 400],
  ['only records out of time', 'metrics', { name: 'm', value: 1, timestamp: '2020-01-01T00:00:00Z' }, {}, 400],
  ["another tenant's name in the body", 'metrics', { tenant: 'isp-beta', name: 'm', value: 1, timestamp: at }, {}, 403],
];
for (const [name, path, body, headers, status] of refusals) {
  test(`${name} is ${status}, and nothing is stored`, async () => {
    const door = await openTestDoor();
    expect((await send(door, path, body, headers)).statusCode).toBe(status);
    expect(door.appended).toEqual([]);
  });
}

test('a time that OTLP cannot say is refused by its age, and takes nothing else with it', async () => {
  const door = await openTestDoor();
  const metrics = ['1960-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '9999-01-01T00:00:00Z', at].map((timestamp) => ({
    name: 'm',
    value: 1,
    timestamp,
  }));
  const answer = await send(door, 'metrics', { metrics });
  expect([answer.statusCode, answer.json()]).toEqual([
    200,
    { accepted: 1, rejected: { too_old: 2, too_far_ahead: 1 } },
  ]);
});

test('a whole number that JSON has rounded is marked inexact', async () => {
  const door = await openTestDoor();
  const body = `{"metrics":[${['9007199254740992', '-9007199254740995', '1e300', '0.5', '-0.0']
    .map((value, i) => `{"name":"m${i}","value":${value},"timestamp":"${at}"}`)
    .join()}]}`;
  expect((await send(door, 'metrics', body, { 'content-type': 'application/json' })).statusCode).toBe(200);
  const decoder = createOtlpDecoder();
  decoder.metrics(door.appended[0]?.payload ?? new Uint8Array(), 7, everything);
  const { points } = decoder.takeMetrics();
  const flagged = points.series.map((series, i) => [series.metric, points.value[i], points.flags[i]]);
  expect(flagged).toEqual([
    ['m0', 9007199254740992, 0],
    ['m1', -9007199254740996, 2],
    ['m2', 1e300, 0],
    ['m3', 0.5, 0],
    ['m4', -0, 0],
  ]);
});
