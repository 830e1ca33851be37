import assert from 'node:assert/strict';
import { call, until } from '../../pulse-process.ts';
import {
  counts,
  type Encoding,
  encoded,
  encodings,
  logRecord,
  logsOf,
  metricsOf,
  nanos,
  point,
  post,
  type Rule,
  span,
  spansOf,
  type Target,
} from './target.ts';

const exemplar = { timeUnixNano: nanos(), asDouble: 7, traceId: 'a1'.repeat(16), spanId: 'b2'.repeat(8) };
const common = () => ({ startTimeUnixNano: nanos(Date.now() - 60_000), timeUnixNano: nanos(), count: '3', sum: 6 });

/** Every kind of metric that there is, each with as many points as the rule counts. */
const kinds: readonly (readonly [name: string, stores: string, data: object, points: number])[] = [
  [
    'gauge',
    'gauge',
    {
      gauge: {
        dataPoints: [
          point(),
          point({ asInt: '5', asDouble: undefined, attributes: [attribute('a', { stringValue: 'b' })] }),
        ],
      },
    },
    2,
  ],
  [
    'sum-delta',
    'sum',
    { sum: { dataPoints: [point({ exemplars: [exemplar] })], aggregationTemporality: 1, isMonotonic: true } },
    1,
  ],
  ['sum-cumulative', 'sum', { sum: { dataPoints: [point()], aggregationTemporality: 2, isMonotonic: true } }, 1],
  ['sum-not-monotonic', 'sum', { sum: { dataPoints: [point()], aggregationTemporality: 2 } }, 1],
  ['no-recorded-value', 'gauge', { gauge: { dataPoints: [point({ asDouble: undefined, flags: 1 })] } }, 1],
  [
    'histogram',
    'histogram',
    {
      histogram: {
        dataPoints: [{ ...common(), bucketCounts: ['1', '2'], explicitBounds: [2], min: 1, max: 3 }],
        aggregationTemporality: 2,
      },
    },
    1,
  ],
  [
    'exponential-histogram',
    'exponential_histogram',
    {
      exponentialHistogram: {
        dataPoints: [{ ...common(), scale: 2, zeroCount: '1', positive: { offset: -1, bucketCounts: ['1', '1'] } }],
        aggregationTemporality: 1,
      },
    },
    1,
  ],
  [
    'summary',
    'summary',
    { summary: { dataPoints: [{ ...common(), quantileValues: [{ quantile: 0.5, value: 2 }] }] } },
    1,
  ],
];

function attribute(key: string, value: object): object {
  return { key, value };
}

/** Every kind of AnyValue, and the text it is read back as. */
const bodies: readonly (readonly [object, string])[] = [
  [{ stringValue: 'conformance text' }, 'conformance text'],
  [{ boolValue: true }, 'true'],
  [{ intValue: '-9223372036854775808' }, '-9223372036854775808'],
  [{ doubleValue: 0.25 }, '0.25'],
  [{ bytesValue: 'AAEC/w==' }, 'AAEC/w=='],
  [{ arrayValue: { values: [{ stringValue: 'a' }, { intValue: '1' }] } }, '["a",1]'],
  [{ kvlistValue: { values: [attribute('k', { arrayValue: { values: [{ boolValue: false }] } })] } }, '{"k":[false]}'],
];

const range = () =>
  `start=${new Date(Date.now() - 3_600_000).toISOString()}&end=${new Date(Date.now() + 60_000).toISOString()}`;

async function deliver(target: Target, signal: 'metrics' | 'traces' | 'logs', encoding: Encoding, value: object) {
  const answer = await post(target, signal, encoding, encoded(signal, encoding, value));
  assert.equal(answer.status, 200, Buffer.from(answer.body).toString());
  assert.equal(Buffer.from(answer.body).toString().includes('ejected'), false);
}

/** The data model: every kind of record is taken in both encodings and can be read back. *Source* opentelemetry-proto. */
export const dataRules: readonly Rule[] = [
  ...kinds.map(([kind, stores, data]) => ({
    id: `data-${kind}`,
    text: `${kind}: taken in both encodings and stored as what it is`,
    async check(target: Target) {
      const wanted = encodings.map((encoding) => `conformance.${kind}.${encoding}`);
      for (const [i, encoding] of encodings.entries()) {
        await deliver(target, 'metrics', encoding, metricsOf({ name: wanted[i], unit: 'By', ...data }));
      }
      const list = () =>
        call<{ items: { name: string; kind: string }[] }>(
          target.pulse,
          `/api/v1/telemetry/metrics?tenant=${target.tenant}&limit=200`,
        );
      for (const name of wanted) {
        await until(list, ({ body }) => body.items.some((item) => item.name === name && item.kind === stores), 20);
      }
    },
  })),
  {
    id: 'data-counts',
    text: 'a point of any kind is one, and none is lost or doubled',
    async check(target) {
      const narrow = { ...target, key: target.narrowKey, tenant: target.narrowTenant };
      const before = await counts(narrow);
      for (const encoding of encodings) {
        const metrics = kinds.map(([kind, , data]) => ({ name: `conformance.count.${kind}.${encoding}`, ...data }));
        await deliver(narrow, 'metrics', encoding, metricsOf(...metrics));
      }
      const sent = 2 * kinds.reduce((sum, [, , , points]) => sum + points, 0);
      await until(
        () => counts(narrow),
        (now) => now.points >= before.points + sent,
        20,
      );
      assert.equal((await counts(narrow)).points, before.points + sent);
    },
  },
  {
    id: 'data-log-bodies',
    text: 'log bodies of every kind of AnyValue are read back',
    async check(target) {
      for (const encoding of encodings) {
        const records = bodies.map(([body]) =>
          logRecord({ body, severityText: encoding, attributes: [attribute('k', body)] }),
        );
        await deliver(target, 'logs', encoding, logsOf(...records));
      }
      await until(
        async () => {
          const { body } = await call<{ items?: { body: string; severityText: string }[] }>(
            target.pulse,
            `/api/v1/telemetry/logs?tenant=${target.tenant}&limit=200&${range()}`,
          );
          return body.items ?? [];
        },
        (items) =>
          encodings.every((encoding) => {
            const read = new Set(items.filter(({ severityText }) => severityText === encoding).map(({ body }) => body));
            return bodies.every(([, text]) => read.has(text));
          }),
        20,
      );
    },
  },
  {
    id: 'data-spans',
    text: 'spans with events, links, status and parent are read back by their trace',
    async check(target) {
      const traceId = 'c3'.repeat(16);
      const full = span({
        traceId,
        parentSpanId: 'd4'.repeat(8),
        status: { code: 2, message: 'broken' },
        events: [{ timeUnixNano: nanos(), name: 'retry', attributes: [attribute('n', { intValue: '2' })] }],
        links: [
          {
            traceId: 'e5'.repeat(16),
            spanId: 'f6'.repeat(8),
            attributes: [attribute('why', { stringValue: 'cause' })],
          },
        ],
      });
      await deliver(target, 'traces', 'json', spansOf(full));
      const read = await until(
        () => call(target.pulse, `/api/v1/telemetry/traces/${traceId}?tenant=${target.tenant}`),
        ({ status }) => status === 200,
        20,
      );
      const text = JSON.stringify(read.body);
      for (const part of ['d4'.repeat(8), 'broken', 'retry', 'e5'.repeat(16), 'cause'])
        assert.ok(text.includes(part), part);
    },
  },
];
