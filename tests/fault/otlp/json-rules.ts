import assert from 'node:assert/strict';
import { readStatus } from './protobuf.ts';
import { logRecord, logsOf, metricsOf, nanos, point, post, type Rule, span, spansOf } from './target.ts';

type Signal = 'metrics' | 'traces' | 'logs';
type Case = readonly [id: string, text: string, signal: Signal, body: string | object, refusedAt?: string];

const gaugeOf = (value: object) => metricsOf({ name: 'conformance.json', gauge: { dataPoints: [point(value)] } });
/** A point whose JSON is written by hand. */
const rawPoint = (fields: string) =>
  `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"conformance.json","gauge":{"dataPoints":[{${fields}}]}}]}]}]}`;

const cases: readonly Case[] = [
  ['hex-ids', 'ids are hexadecimal', 'traces', spansOf(span())],
  [
    'hex-ids-case',
    'hexadecimal ids are not case-sensitive',
    'traces',
    spansOf(span({ traceId: '5B8EFFF798038103D269B633813FC60C' })),
  ],
  [
    'hex-ids-only',
    'an id that is not hexadecimal is bad data',
    'traces',
    spansOf(span({ spanId: 'not hexadecimal!' })),
    'spanId',
  ],
  ['int64-string', '64-bit integers may be decimal strings', 'metrics', gaugeOf({ asInt: '9223372036854775807' })],
  [
    'int64-number',
    '64-bit integers may be numbers',
    'metrics',
    rawPoint(`"timeUnixNano":${nanos()},"asInt":9223372036854775807`),
  ],
  [
    'int64-range',
    'an integer beyond 64 bits is bad data',
    'metrics',
    rawPoint(`"timeUnixNano":"${nanos()}","asInt":9223372036854775808`),
    'asInt',
  ],
  [
    'int64-fraction',
    'an integer with a fraction is bad data',
    'metrics',
    rawPoint(`"timeUnixNano":"${nanos()}","asInt":1.5`),
    'asInt',
  ],
  [
    'double-words',
    'doubles may be the words NaN, Infinity and -Infinity',
    'metrics',
    metricsOf({
      name: 'conformance.json',
      gauge: { dataPoints: ['NaN', 'Infinity', '-Infinity'].map((asDouble) => point({ asDouble })) },
    }),
  ],
  ['enum-number', 'enums are numbers', 'traces', spansOf(span({ kind: 3, status: { code: 2 } }))],
  ['enum-name', 'the name of an enum is not taken', 'traces', spansOf(span({ kind: 'SPAN_KIND_SERVER' })), 'kind'],
  ['unknown', 'unknown fields are ignored', 'logs', { ...logsOf(logRecord({ newer: { a: [1] } })), later: true }],
  ['null', 'null is an absent field', 'traces', spansOf(span({ status: null, attributes: null }))],
  ['default', 'fields may be left out', 'traces', { resourceSpans: [{}] }],
  ['bytes', 'bytes other than ids are base64', 'logs', logsOf(logRecord({ body: { bytesValue: 'AAEC/w==' } }))],
  ['not-json', 'what is no JSON is bad data', 'metrics', '{', '(body)'],
  ['not-utf8', 'what is no UTF-8 is bad data', 'metrics', '\xff', '(body)'],
  [
    'wrong-shape',
    'a value of another shape is bad data, named by its path',
    'metrics',
    { resourceMetrics: {} },
    'resourceMetrics',
  ],
];

/** OTLP/JSON. *Source* opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding". */
export const jsonRules: readonly Rule[] = [
  ...cases.map(([id, text, signal, body, refusedAt]) => ({
    id: `json-${id}`,
    text,
    async check(target: Parameters<Rule['check']>[0]) {
      const bytes = Buffer.from(
        typeof body === 'string' ? body : JSON.stringify(body),
        typeof body === 'string' ? 'latin1' : 'utf8',
      );
      const answer = await post(target, signal, 'json', bytes);
      const text = Buffer.from(answer.body).toString();
      assert.equal(answer.status, refusedAt === undefined ? 200 : 400, text);
      if (refusedAt === undefined) assert.equal(text, '{}');
      else if (refusedAt !== '(body)') assert.ok(readStatus(answer.body, true).message.includes(refusedAt), text);
    },
  })),
  {
    id: 'json-camel-case',
    text: 'names are lowerCamelCase: another spelling is an unknown field',
    async check(target) {
      const spelt = `{"resource_metrics":[{"nonsense":1}]}`;
      assert.equal((await post(target, 'metrics', 'json', Buffer.from(spelt))).status, 200);
      const answer = await post(
        target,
        'metrics',
        'json',
        Buffer.from(rawPoint(`"time_unix_nano":"${nanos()}","asInt":"1"`)),
      );
      // The time is missing then, and the point is rejected.
      assert.deepEqual(JSON.parse(Buffer.from(answer.body).toString()).partialSuccess?.rejectedDataPoints, '1');
    },
  },
];
