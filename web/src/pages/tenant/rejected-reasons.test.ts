import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { byReason, countsRequests, linesByReason, reasonText } from './rejected-reasons.ts';

const hourMs = 3_600_000;
const start = Date.UTC(2026, 10, 21, 10);
const count = (hour: number, reason: string, records: number, detail = '') => ({
  tenant: 't',
  hour: new Date(start + hour * hourMs).toISOString(),
  signal: 'metrics',
  reason,
  records,
  lastAt: new Date(start + hour * hourMs + 60_000).toISOString(),
  detail,
});

test('hours are added up by reason, the most first, with the newest detail', () => {
  const rows = byReason([count(1, 'too_old', 3, 'new'), count(0, 'too_old', 4, 'old'), count(0, 'series_limit', 90)]);
  expect(rows.map(({ reason, records, detail }) => [reason, records, detail])).toEqual([
    ['series_limit', 90, ''],
    ['too_old', 7, 'new'],
  ]);
});

test('an hour without a count is zero, and what is beyond eight reasons is drawn as others', () => {
  const [line] = linesByReason([count(1, 'too_old', 3)], start, start + 3 * hourMs);
  expect(line?.points).toEqual([
    [start, 0],
    [start + hourMs, 3],
    [start + 2 * hourMs, 0],
  ]);
  const many = Array.from({ length: 12 }, (_, i) => count(0, `reason_${i}`, 100 - i));
  const lines = linesByReason(many, start, start + hourMs);
  expect(lines.map(({ label }) => label).at(-1)).toBe('others');
  expect([lines.length, lines.at(-1)?.points[0]?.[1]]).toEqual([8, 93 + 92 + 91 + 90 + 89]);
});

test('every reason has words; an unknown one shows its code', () => {
  expect(reasonText('series_limit').what).toBe('More active series than allowed');
  expect(reasonText('some.new_code').what).toBe('some.new_code');
  expect([countsRequests('limits.points_per_second'), countsRequests('too_old')]).toEqual([true, false]);
});

/** The names of a union of texts, as its source file spells them. */
function unionOf(file: string, name: string): string[] {
  const source = readFileSync(new URL(`../../../../${file}`, import.meta.url), 'utf8');
  const union = new RegExp(`type ${name} =([^;]+);`).exec(source)?.[1] ?? '';
  return [...union.matchAll(/'([a-z_]+)'/g)].map(([, reason]) => reason ?? '');
}

test.each([
  ['streams/otlp/time-bounds.ts', 'RejectReason'],
  ['streams/otlp/remote-write/port.ts', 'RemoteWriteReason'],
])('no reason of %s is without words', (file, name) => {
  const reasons = unionOf(file, name);
  expect(reasons.length).toBeGreaterThan(5);
  expect(reasons.filter((reason) => reasonText(reason).what === reason)).toEqual([]);
});
