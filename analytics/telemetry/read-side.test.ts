import { expect, test } from 'vitest';
import { parseFilters, parseGroupBy } from './attribute-filters.ts';
import { parseSeverity, tokensOf } from './log-search.ts';
import { inTreeOrder } from './span-tree.ts';
import { parseSpanDuration } from './trace-search.ts';

test('filters keep the operator that stands first and everything behind it', () => {
  expect(parseFilters(['a=b=c', 'url!=/x?y=~z', 'code=~5..', 'k!~x|y', 'empty='])).toEqual({
    names: ['a', 'url', 'code', 'k', 'empty'],
    operators: ['=', '!=', '=~', '!~', '='],
    values: ['b=c', '/x?y=~z', '^(?:5..)$', '^(?:x|y)$', ''],
  });
  expect(parseGroupBy(['a, b', 'b', 'c'])).toEqual({ names: ['a', 'b', 'c'], every: false });
  expect(parseGroupBy(['*'])).toEqual({ names: [], every: true });
});

test('only words that stand whole in every body found are looked up in the index', () => {
  expect(tokensOf('payment failed for', 'text')).toEqual(['failed']);
  expect(tokensOf('failed', 'text')).toEqual([]);
  expect(tokensOf(' failed ', 'text')).toEqual(['failed']);
  expect(tokensOf('Payment FAILED', 'words')).toEqual(['payment', 'failed']);
  expect(tokensOf('über failed_login', 'words')).toEqual(['failed', 'login']);
});

test('severities by name and number', () => {
  expect(parseSeverity('warn')).toMatchObject({
    severity: 13,
    severities: expect.arrayContaining(['warning', 'error']),
  });
  expect(parseSeverity('17').severities).not.toContain('warn');
  expect(() => parseSeverity('loud')).toThrow(/one of trace/);
  expect(() => parseSeverity('25')).toThrow();
});

test('span durations', () => {
  expect(parseSpanDuration('1.5s', 'minDuration')).toBe('1500000000');
  expect(parseSpanDuration('500us', 'minDuration')).toBe('500000');
  expect(() => parseSpanDuration('5', 'minDuration')).toThrow(/is not a duration/);
});

test('spans stand before their children; orphans and circles are kept', () => {
  const span = (spanId: string, parentSpanId = '') => ({ spanId, parentSpanId });
  const ids = (...spans: { spanId: string; parentSpanId: string }[]) => inTreeOrder(spans).map((s) => s.spanId);
  expect(ids(span('c', 'b'), span('a'), span('d', 'a'), span('b', 'a'))).toEqual(['a', 'd', 'b', 'c']);
  expect(ids(span('x', 'gone'), span('y', 'x'))).toEqual(['x', 'y']);
  expect(ids(span('p', 'q'), span('q', 'p'), span('s', 's'))).toEqual(['s', 'p', 'q']);
});
