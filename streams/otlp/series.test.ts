import { expect, test } from 'vitest';
import { createOtlpDecoder } from './decoder.ts';
import { encodeOtlp } from './json.ts';
import type { SeriesEntry } from './port.ts';
import { scanOtlp } from './scan.ts';
import { sha256 } from './series-identity.ts';

const bounds = { oldestMs: 0, newestMs: 4e12 };
type Pairs = readonly (readonly [string, string])[];
const attributes = (pairs: Pairs) => pairs.map(([key, stringValue]) => ({ key, value: { stringValue } }));

interface Sent {
  readonly point?: Pairs;
  readonly resource?: Pairs;
  readonly scope?: object;
  readonly metric?: object;
}

function payload({ point = [], resource = [], scope = { name: 's', version: '1' }, metric = {} }: Sent): Uint8Array {
  const dataPoints = [{ timeUnixNano: '1000000000', asInt: 1, attributes: attributes(point) }];
  const sum = { dataPoints, aggregationTemporality: 2, isMonotonic: true };
  return encodeOtlp('metrics', {
    resourceMetrics: [
      {
        resource: { attributes: attributes(resource) },
        scopeMetrics: [{ scope, metrics: [{ name: 'm', sum, ...metric }] }],
      },
    ],
  });
}

function seriesOf(decoder: ReturnType<typeof createOtlpDecoder>, sent: Sent, tenant = 1): SeriesEntry {
  decoder.metrics(payload(sent), tenant, bounds);
  const [series] = decoder.takeMetrics().points.series;
  if (series === undefined) throw new Error('no point');
  return series;
}

test('a series is one object whatever the order of its attributes', () => {
  const decoder = createOtlpDecoder();
  const first = seriesOf(decoder, {
    point: [
      ['a', '1'],
      ['b', '2'],
    ],
    resource: [
      ['x', '1'],
      ['y', '2'],
    ],
  });
  expect(
    seriesOf(decoder, {
      point: [
        ['b', '2'],
        ['a', '1'],
      ],
      resource: [
        ['y', '2'],
        ['x', '1'],
      ],
    }),
  ).toBe(first);
});

test('everything of an identity makes its own series', () => {
  const decoder = createOtlpDecoder();
  const gauge = { dataPoints: [{ timeUnixNano: '1000000000', asInt: 1 }] };
  const delta = { ...gauge, aggregationTemporality: 1, isMonotonic: true };
  const upDown = { ...gauge, aggregationTemporality: 2 };
  const histogram = (explicitBounds: number[]) => ({
    sum: null,
    histogram: {
      aggregationTemporality: 2,
      dataPoints: [{ timeUnixNano: '1000000000', explicitBounds, bucketCounts: [1, 1] }],
    },
  });
  const variants: Sent[] = [
    {},
    { point: [['a', '1']] },
    { point: [['a', '2']] },
    { resource: [['a', '1']] },
    { scope: { name: 's', version: '2' } },
    { scope: { name: 't', version: '1' } },
    { scope: { name: 's', version: '1', attributes: attributes([['a', '1']]) } },
    { metric: { name: 'n' } },
    { metric: { unit: 'By' } },
    { metric: { sum: null, gauge } },
    { metric: { sum: delta } },
    { metric: { sum: upDown } },
  ];
  const ids = variants.map((sent) => seriesOf(decoder, sent).id);
  for (const bound of [1, 2]) {
    decoder.metrics(payload({ metric: histogram([bound]) }), 1, bounds);
    ids.push(...decoder.takeMetrics().histograms.map((row) => row.series.id));
  }
  expect(new Set(ids).size).toBe(variants.length + 2);
});

test('tenants share no entry', () => {
  const decoder = createOtlpDecoder();
  const [alpha, beta] = [seriesOf(decoder, {}, 1), seriesOf(decoder, {}, 2)];
  expect([alpha.tenant, beta.tenant, alpha.id === beta.id]).toEqual([1, 2, true]);
  expect(alpha).not.toBe(beta);
});

test('a stored identity never changes: its hash, and the id made of it', () => {
  const series = seriesOf(createOtlpDecoder(), {
    point: [
      ['b', '2'],
      ['a', '1'],
    ],
    resource: [['r', 'x']],
  });
  const canonical = '["m","sum","cumulative",true,"","s","1",["r","x"],[],["a","1","b","2"],[]]';
  expect(Buffer.from(series.identity)).toEqual(Buffer.from(sha256(canonical).subarray(0, 16)));
  const metric = Buffer.from(sha256('m')).readUInt16BE(0);
  const own = Buffer.from(series.identity).readUIntBE(0, 6);
  expect(series.id).toBe((BigInt(metric) << 48n) | BigInt(own));
});

test('a series is announced until the store confirms it, once a hand-over', () => {
  const decoder = createOtlpDecoder();
  const announced = () => {
    decoder.metrics(payload({}), 1, bounds);
    decoder.metrics(payload({}), 1, bounds);
    return decoder.takeMetrics().newSeries;
  };
  const [series] = announced();
  expect(announced()).toEqual([series]);
  if (series !== undefined) series.confirmed = true;
  expect(announced()).toEqual([]);
});

test('a malformed payload leaves nothing behind, and its series is announced when it comes again', () => {
  const decoder = createOtlpDecoder();
  const good = payload({ point: [['a', '1']] });
  decoder.metrics(payload({}), 1, bounds);
  expect(() => decoder.metrics(Buffer.concat([good, Uint8Array.of(0x0a, 0x7f)]), 1, bounds)).toThrow('malformed');
  decoder.metrics(good, 1, bounds);
  const taken = decoder.takeMetrics();
  expect([taken.points.length, taken.points.series.length, taken.newSeries.length]).toEqual([2, 2, 2]);
});

test('the cache holds what is in use and stays bounded', () => {
  const decoder = createOtlpDecoder({ maxSeries: 100 });
  const hot = seriesOf(decoder, { point: [['hot', '1']] });
  hot.confirmed = true;
  const cold = seriesOf(decoder, { point: [['cold', '1']] });
  cold.confirmed = true;
  for (let i = 0; i < 500; i++) {
    seriesOf(decoder, { point: [['i', String(i)]] });
    if (i % 20 === 0) expect(seriesOf(decoder, { point: [['hot', '1']] })).toBe(hot);
  }
  const again = seriesOf(decoder, { point: [['cold', '1']] });
  expect([again === cold, again.confirmed, again.id]).toEqual([false, false, cold.id]);
});

test('a hash that collides still gives two entries with the same id', () => {
  const collide = (text: string) => Uint8Array.from(sha256(text).map((byte, i) => (i < 6 ? 1 : byte)));
  const decoder = createOtlpDecoder({ hash: collide });
  const [a, b] = [seriesOf(decoder, { point: [['a', '1']] }), seriesOf(decoder, { point: [['a', '2']] })];
  expect([a.id === b.id, a === b, Buffer.compare(a.identity, b.identity) === 0]).toEqual([true, false, false]);
});

test('points in a row are told apart by their attributes as if each stood alone', () => {
  const rows: Pairs[] = [
    [['a', '1']],
    [['a', '1']],
    [['a', '2']],
    [['a', '1']],
    [],
    [],
    [
      ['a', '1'],
      ['b', '1'],
    ],
    [
      ['a', '1'],
      ['b', '2'],
    ],
    [['a', '1']],
    [['a', 'ü']],
    [['a', 'ü']],
  ];
  const request = (points: readonly Pairs[]) =>
    encodeOtlp('metrics', {
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: ['m', 'n'].map((name) => ({
                name,
                gauge: {
                  dataPoints: points.map((point) => ({
                    timeUnixNano: '1000000000',
                    asInt: 1,
                    attributes: attributes(point),
                  })),
                },
              })),
            },
          ],
        },
      ],
    });
  const judged = (bytes: Uint8Array) => {
    const seen: string[] = [];
    const series = {
      judge(h1: number, h2: number) {
        seen.push(`${h1}/${h2}`);
        return null;
      },
    };
    expect(scanOtlp('metrics', bytes, bounds, { series }).records).toBe(seen.length);
    return seen;
  };
  const decoder = createOtlpDecoder();
  const found = (bytes: Uint8Array) => {
    decoder.metrics(bytes, 1, bounds);
    return [...decoder.takeMetrics().points.series];
  };
  const together = request(rows);
  const alone = rows.map((row) => request([row]));
  const order = (parts: readonly (readonly unknown[])[]) => [
    ...parts.map((part) => part[0]),
    ...parts.map((part) => part[1]),
  ];
  expect(judged(together)).toEqual(order(alone.map(judged)));
  expect(found(together)).toEqual(order(alone.map(found)));
  expect(new Set(found(together)).size).toBe(12);
});

test('a temporality that does not exist makes no series of another kind', () => {
  const decoder = createOtlpDecoder();
  const dataPoints = [{ timeUnixNano: '1000000000', asInt: 1 }];
  const sum = { aggregationTemporality: 8, dataPoints };
  expect(seriesOf(decoder, { metric: { sum } })).toMatchObject({ kind: 'sum', temporality: '' });
  expect(seriesOf(decoder, { metric: { sum: undefined, gauge: { dataPoints } } })).toMatchObject({ kind: 'gauge' });
});
