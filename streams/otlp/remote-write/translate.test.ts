import { expect, test } from 'vitest';
import type { RemoteWriteVersion } from './port.ts';
import { encodeMessage, testBounds, toMessage } from './testdata/messages.ts';
import { translateRemoteWrite } from './translate.ts';

const maxBytes = 64 * 1024 * 1024;
const versions: readonly RemoteWriteVersion[] = ['1.0', '2.0'];
const time = 1_750_000_000_000;

for (const version of versions) {
  test(`${version}: a request of 20,000 series with eight labels is far within the limit`, () => {
    const series = Array.from({ length: 20_000 }, (_one, i) => ({
      labels: [
        ['__name__', 'http_requests_total'],
        ...Array.from({ length: 7 }, (_label, n): [string, string] => [`label_${n}`, `a usual value ${n}`]),
        ['pod', `pod-${i}`],
      ] as [string, string][],
      samples: [{ value: i, timestamp: time }],
    }));
    const bytes = encodeMessage(version, toMessage(version, series));
    expect(translateRemoteWrite(bytes, { version, bounds: testBounds, maxBytes }).written.samples).toBe(20_000);
  });
}

/** Field of a `TimeSeries` (or of the message itself) that comes as an empty message or a packed list, over and over. */
const floods: readonly (readonly [RemoteWriteVersion, string, readonly number[], boolean])[] = [
  ['1.0', 'series', [0x0a, 0], false],
  ['1.0', 'labels', [0x0a, 0], true],
  ['1.0', 'samples', [0x12, 0], true],
  ['1.0', 'exemplars', [0x1a, 0], true],
  ['1.0', 'histograms', [0x22, 0], true],
  ['2.0', 'symbols', [0x22, 0], false],
  ['2.0', 'series', [0x2a, 0], false],
  ['2.0', 'references', [0x08, 0], true],
  ['2.0', 'samples', [0x12, 0], true],
  ['2.0', 'histograms', [0x1a, 0], true],
  ['2.0', 'exemplars', [0x22, 0], true],
];

for (const [version, name, element, isInSeries] of floods) {
  test(`${version}: a flood of empty ${name} is refused before it fills the memory`, () => {
    const flood = Buffer.alloc(16 * 1024 * 1024, Buffer.from(element));
    const length = Buffer.from([0x80, 0x80, 0x80, 0x08]);
    const bytes = isInSeries ? Buffer.concat([Buffer.from([version === '1.0' ? 0x0a : 0x2a]), length, flood]) : flood;
    const before = process.memoryUsage().heapUsed;
    expect(() => translateRemoteWrite(bytes, { version, bounds: testBounds, maxBytes: 16 * 1024 * 1024 })).toThrow(
      expect.objectContaining({ code: 'remote_write.too_large' }),
    );
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024);
  });
}

test('one series sent a sample at a time is joined in linear time', () => {
  const labels: [string, string][] = [['__name__', 'up']];
  const series = Array.from({ length: 50_000 }, (_one, i) => ({
    labels,
    samples: [{ value: 1, timestamp: time + i }],
  }));
  const bytes = encodeMessage('2.0', toMessage('2.0', series));
  const started = performance.now();
  expect(translateRemoteWrite(bytes, { version: '2.0', bounds: testBounds, maxBytes }).written.samples).toBe(50_000);
  expect(performance.now() - started).toBeLessThan(5000);
});
