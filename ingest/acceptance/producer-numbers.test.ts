import { describe, expect, test } from 'vitest';
import { numberedRuns, sequenceOf } from '../usage-events/numbered-runs.ts';
import { producedOf, readProducerNumbers } from './producer-numbers.ts';

const read = (headers: Record<string, unknown>) => readProducerNumbers((name) => headers[name]);

describe('numbers of an export', () => {
  test('are read from two headers', () => {
    const numbers = read({ 'pulse-producer': 'run-1', 'pulse-sequence': '41;7' });
    expect(numbers).toEqual({ producer: 'run-1', first: 41, count: 7 });
    expect(producedOf(numbers, [{ hour: 3600, records: 5, sum: '1' }])).toEqual({
      produced: [{ producer: 'run-1', first: 41, count: 7, anchored: true, hours: [{ hour: 3600, records: 5 }] }],
    });
  });

  test.each([
    {},
    { 'pulse-producer': 'run-1' },
    { 'pulse-sequence': '1;1' },
    { 'pulse-producer': 'run-1', 'pulse-sequence': '0;1' },
    { 'pulse-producer': 'run-1', 'pulse-sequence': '1;0' },
    { 'pulse-producer': 'run-1', 'pulse-sequence': '1;-1' },
    { 'pulse-producer': 'run-1', 'pulse-sequence': '1' },
    { 'pulse-producer': 'run-1', 'pulse-sequence': '99999999999999999999;1' },
    { 'pulse-producer': 'run 1', 'pulse-sequence': '1;1' },
    { 'pulse-producer': '', 'pulse-sequence': '1;1' },
    { 'pulse-producer': 'x'.repeat(129), 'pulse-sequence': '1;1' },
    { 'pulse-producer': ['a', 'b'], 'pulse-sequence': '1;1' },
  ])('absent or malformed, nothing is numbered: %o', (headers) => {
    expect(read(headers)).toBeUndefined();
    expect(producedOf(read(headers), [])).toEqual({});
  });
});

describe('the sequence of CloudEvents', () => {
  test.each([
    [{ sequence: '0000012' }, 12],
    [{ sequence: '7', sequencetype: 'Integer' }, 7],
    [{ sequence: 7 }, 7],
    [{ sequence: '7', sequencetype: 'Other' }, null],
    [{ sequence: '7a' }, null],
    [{ sequence: '' }, null],
    [{ sequence: -1 }, null],
    [{ sequence: 1.5 }, null],
    [{}, null],
  ])('%o is %s', (event, expected) => {
    expect(sequenceOf(event)).toBe(expected);
  });

  test('becomes runs by source and hour; a number that comes twice counts once', () => {
    const event = (source: string, minute: number) => ({
      ...{ type: 'api_calls', source, id: `${source}${minute}`, subject: '', value: '1', attributes: {} },
      time: new Date(minute * 60_000).toISOString(),
    });
    const events = [
      event('b', 1),
      event('a', 1),
      event('a', 2),
      event('a', 2),
      event('a', 61),
      event('c', 1),
      event('a', 3),
    ];
    expect(numberedRuns(events, [5, 1, 2, 2, 3, null, 9])).toEqual([
      { producer: 'b', first: 5, count: 1, anchored: false, hours: [{ hour: 0, records: 1 }] },
      { producer: 'a', first: 1, count: 2, anchored: false, hours: [{ hour: 0, records: 2 }] },
      { producer: 'a', first: 3, count: 1, anchored: false, hours: [{ hour: 3600, records: 1 }] },
      { producer: 'a', first: 9, count: 1, anchored: false, hours: [{ hour: 0, records: 1 }] },
    ]);
  });
});
