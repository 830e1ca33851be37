import { expect, test } from 'vitest';
import { sampleKind, unitOf } from './kinds.ts';
import { metricTypes } from './port.ts';

const { unknown, counter, gauge, histogram, gaugeHistogram, summary, info } = metricTypes;
const kinds: readonly (readonly [string, boolean, number, string])[] = [
  ['hits_total', false, unknown, 'counter'],
  ['wait_seconds_bucket', true, unknown, 'counter'],
  ['wait_seconds_bucket', false, unknown, 'gauge'],
  ['wait_seconds_count', false, unknown, 'counter'],
  ['wait_seconds_sum', false, unknown, 'counter'],
  ['up', false, unknown, 'gauge'],
  ['hits_created', false, unknown, 'gauge'],
  // What the metadata says goes before the name.
  ['queue_count', false, gauge, 'gauge'],
  ['hits', false, counter, 'counter'],
  ['target_info', false, info, 'gauge'],
  // Components of a family go by their own names.
  ['wait_seconds_bucket', true, histogram, 'counter'],
  ['wait_seconds_created', false, histogram, 'gauge'],
  ['wait_seconds', false, summary, 'gauge'],
  ['wait_seconds_sum', false, summary, 'counter'],
  ['depth_bucket', true, gaugeHistogram, 'gauge'],
  ['depth_gsum', false, gaugeHistogram, 'gauge'],
  // A type of a later version is as good as none.
  ['hits_total', false, 99, 'counter'],
];
for (const [metric, hasBound, type, kind] of kinds) {
  test(`${metric}${hasBound ? '{le}' : ''} of type ${type} is a ${kind}`, () => {
    expect(sampleKind(metric, hasBound, type)).toBe(kind);
  });
}

const units: readonly (readonly [string, string, string])[] = [
  ['process_cpu_seconds_total', '', 's'],
  ['wait_seconds_sum', '', 's'],
  ['wait_seconds_count', 'seconds', ''],
  ['node_memory_bytes', '', 'By'],
  ['cache_ratio', '', '1'],
  ['hits_created', '', 's'],
  ['depth', 'parsecs', 'parsecs'],
  ['depth', 'meters', 'm'],
  ['up', '', ''],
];
for (const [metric, metadata, unit] of units) {
  test(`${metric} with unit '${metadata}' is in '${unit}'`, () => expect(unitOf(metric, false, metadata)).toBe(unit));
}
