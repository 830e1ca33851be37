import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createOtlpDecoder } from './decoder.ts';
import { filterOtlp } from './filter.ts';
import { encodeOtlp } from './json.ts';
import type { OtlpSignal, SeriesGate } from './port.ts';
import { scanOtlp } from './scan.ts';
import { encodeWithOracle, oracleType, requests, testBounds } from './testdata/messages.ts';
import { shuffleFields } from './testdata/shuffle.ts';

const signals: readonly OtlpSignal[] = ['metrics', 'traces', 'logs'];

function payloads(signal: OtlpSignal): fc.Arbitrary<Uint8Array> {
  const { type, message } = requests[signal];
  return fc
    .tuple(message, fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })))
    .map(([request, stream]) =>
      shuffleFields(oracleType(type), encodeWithOracle(type, request), () => stream.next().value ?? 0),
    );
}

test('what is left after cutting scans to exactly the records that were not refused, and decodes', () => {
  for (const signal of signals) {
    fc.assert(
      fc.property(payloads(signal), fc.integer({ min: 0, max: 2 }), fc.nat(6), (bytes, perRecord, every) => {
        let asked = 0;
        const series: SeriesGate = { judge: () => (asked++ % (every + 1) === 0 ? 'series_limit' : null) };
        const attributes = { perRecord, nameBytes: 12, valueBytes: 12 };
        const whole = scanOtlp(signal, bytes, testBounds);
        const scan = scanOtlp(signal, bytes, testBounds, { attributes, series });
        const filtered = filterOtlp(signal, bytes, scan.cut);
        const left = scanOtlp(signal, filtered, testBounds);
        expect(scan.records + scan.cut.length).toBe(whole.records);
        expect(left.records).toBe(scan.records);
        expect(left.hours).toEqual(scan.hours);
        expect(scanOtlp(signal, filtered, testBounds, { attributes }).cut).toEqual([]);
        const decoder = createOtlpDecoder();
        const decoded =
          signal === 'metrics'
            ? decoder.metrics(filtered, 1, testBounds).records
            : decoder[signal](filtered, testBounds).length;
        expect(decoded).toBe(scan.records);
      }),
      { numRuns: 200 },
    );
  }
});

test('nothing refused leaves the bytes as they are', () => {
  fc.assert(
    fc.property(payloads('metrics'), (bytes) => {
      expect(Buffer.compare(filterOtlp('metrics', bytes, []), bytes)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

const timeUnixNano = `${testBounds.newestMs - 1000}000000`;
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
interface Shape {
  readonly attributes?: object[];
  readonly name?: string;
  readonly unit?: string;
  readonly resource?: object[];
  readonly scope?: string;
  readonly kind?: object;
}
const metric = (shape: Shape) =>
  encodeOtlp('metrics', {
    resourceMetrics: [
      {
        resource: { attributes: shape.resource ?? [] },
        scopeMetrics: [
          {
            scope: { name: shape.scope ?? 's' },
            metrics: [
              {
                name: shape.name ?? 'm',
                unit: shape.unit ?? '1',
                ...(shape.kind ?? {
                  gauge: { dataPoints: [{ timeUnixNano, asDouble: 1, attributes: shape.attributes ?? [] }] },
                }),
              },
            ],
          },
        ],
      },
    ],
  });
function hashOf(bytes: Uint8Array): string {
  const seen: string[] = [];
  const judge = (h1: number, h2: number) => {
    seen.push(`${h1}:${h2}`);
    return null;
  };
  scanOtlp('metrics', bytes, testBounds, { series: { judge } });
  expect(seen).toHaveLength(1);
  return seen[0] ?? '';
}

test('the order of attributes does not make another series; every part of its identity does', () => {
  const [a, b, c] = [text('a', '1'), text('b', '2'), { key: 'c', value: { intValue: '3' } }];
  const sum = (more: object) => ({
    sum: { dataPoints: [{ timeUnixNano, asDouble: 1, attributes: [a, b, c] }], ...more },
  });
  const histogram = (explicitBounds: number[]) => ({
    histogram: { dataPoints: [{ timeUnixNano, attributes: [a, b, c], explicitBounds, bucketCounts: ['1', '1'] }] },
  });
  const base = hashOf(metric({ attributes: [a, b, c] }));
  expect(hashOf(metric({ attributes: [c, a, b] }))).toBe(base);
  expect(hashOf(metric({ attributes: [a, b, c], resource: [a, b] }))).toBe(
    hashOf(metric({ attributes: [c, b, a], resource: [b, a] })),
  );
  const different = [
    { attributes: [a, b] },
    { attributes: [text('a', '2'), text('b', '1'), c] },
    { attributes: [text('ab', ''), text('', '12'), c] },
    { attributes: [a, b, text('c', '3')] },
    { attributes: [a, b, c], name: 'n' },
    { attributes: [a, b, c], unit: 's' },
    { attributes: [a, b, c], resource: [a] },
    { attributes: [a, b, c], scope: 't' },
    { kind: sum({}) },
    { kind: sum({ aggregationTemporality: 2 }) },
    { kind: sum({ aggregationTemporality: 2, isMonotonic: true }) },
    { kind: sum({ aggregationTemporality: 1, isMonotonic: true }) },
    { kind: histogram([1]) },
    { kind: histogram([2]) },
  ].map((shape) => hashOf(metric(shape)));
  expect(new Set([base, ...different]).size).toBe(different.length + 1);
});

test('exemplars are no part of a series', () => {
  const point = (exemplars: object[]) => ({
    histogram: { dataPoints: [{ timeUnixNano, explicitBounds: [1], bucketCounts: ['1', '1'], exemplars }] },
  });
  const exemplar = { timeUnixNano, asDouble: 1, filteredAttributes: [text('user', 'x')] };
  expect(hashOf(metric({ kind: point([exemplar]) }))).toBe(hashOf(metric({ kind: point([]) })));
});

const limits = { perRecord: 2, nameBytes: 4, valueBytes: 8 };
const attributeCases: readonly (readonly [string, Shape, string | null])[] = [
  ['as many attributes as allowed', { attributes: [text('a', '1'), text('b', '2')] }, null],
  ['one attribute too many', { attributes: [text('a', ''), text('b', ''), text('c', '')] }, 'too_many_attributes'],
  ['a name at the limit', { attributes: [text('aaaa', '1')] }, null],
  ['a name too long', { attributes: [text('aaaaa', '1')] }, 'attribute_too_long'],
  ['a value at the limit', { attributes: [text('a', '12345678')] }, null],
  ['a value too long', { attributes: [text('a', '123456789')] }, 'attribute_too_long'],
  [
    'too many attributes of the resource',
    { resource: [text('a', ''), text('b', ''), text('c', '')] },
    'too_many_attributes',
  ],
  ['a long value of the resource', { resource: [text('a', '123456789')] }, 'attribute_too_long'],
  [
    'a long list as value',
    { attributes: [{ key: 'a', value: { arrayValue: { values: [{ stringValue: '123456789' }] } } }] },
    'attribute_too_long',
  ],
];
for (const [what, shape, reason] of attributeCases) {
  test(`${what} is ${reason ?? 'taken'}`, () => {
    const scan = scanOtlp('metrics', metric(shape), testBounds, { attributes: limits });
    expect([scan.records, Object.fromEntries(scan.rejected)]).toEqual(reason === null ? [1, {}] : [0, { [reason]: 1 }]);
  });
}

test('a refused resource refuses its own records and no others', () => {
  const item = (resource: object[]) => ({
    resource: { attributes: resource },
    scopeLogs: [{ logRecords: [{ timeUnixNano, body: { stringValue: 'x'.repeat(100) } }] }],
  });
  const bytes = encodeOtlp('logs', {
    resourceLogs: [item([text('a', '1')]), item([text('a', '123456789')]), item([])],
  });
  const scan = scanOtlp('logs', bytes, testBounds, { attributes: limits });
  expect([scan.records, [...scan.rejected]]).toEqual([2, [['attribute_too_long', 1]]]);
  expect(scanOtlp('logs', filterOtlp('logs', bytes, scan.cut), testBounds).records).toBe(2);
});
