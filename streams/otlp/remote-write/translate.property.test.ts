import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AppError } from '../../contract/index.ts';
import { createOtlpDecoder } from '../decoder.ts';
import { scanOtlp } from '../scan.ts';
import { shuffleFields } from '../testdata/shuffle.ts';
import type { RemoteWriteTranslation, RemoteWriteVersion } from './port.ts';
import { flattenOtlp } from './testdata/flatten.ts';
import { encodeMessage, messageType, seriesLists, testBounds, toMessage } from './testdata/messages.ts';
import { asText, type Expected, expectedTranslation } from './testdata/oracle.ts';
import { translateRemoteWrite } from './translate.ts';

const versions: readonly RemoteWriteVersion[] = ['1.0', '2.0'];
const numRuns = 400;
const maxBytes = 16 * 1024 * 1024;

const bodies = (version: RemoteWriteVersion): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(seriesLists, fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })))
    .map(([series, stream]) => {
      const random = () => stream.next().value ?? 0;
      return shuffleFields(messageType(version), encodeMessage(version, toMessage(version, series)), random);
    });

const sorted = (points: readonly Expected[]) =>
  points.map((point) => asText(Object.fromEntries(Object.entries(point).sort(([a], [b]) => (a < b ? -1 : 1))))).sort();

const labelReasons = new Set(['unnamed_metric', 'invalid_name', 'duplicate_label']);
function reasons({ rejected }: RemoteWriteTranslation): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [reason, count] of rejected) {
    const name = labelReasons.has(reason) ? 'labels' : reason;
    counts[name] = (counts[name] ?? 0) + count;
  }
  return counts;
}

for (const version of versions) {
  test(`${version}: every field of a message arrives in OTLP as its schema reads it`, () => {
    fc.assert(
      fc.property(bodies(version), (bytes) => {
        const translation = translateRemoteWrite(bytes, { version, bounds: testBounds, maxBytes });
        const expected = expectedTranslation(version, bytes);
        expect(sorted(flattenOtlp(translation.payload))).toEqual(sorted(expected.points));
        expect(translation.written).toEqual(expected.written);
        expect(reasons(translation)).toEqual(expected.rejected);
      }),
      { numRuns },
    );
  });

  test(`${version}: what is translated the door counts and the store decodes, point for point`, () => {
    fc.assert(
      fc.property(bodies(version), (bytes) => {
        const { payload } = translateRemoteWrite(bytes, { version, bounds: testBounds, maxBytes });
        const points = flattenOtlp(payload).length;
        const scan = scanOtlp('metrics', payload, testBounds);
        expect([scan.records, scan.rejected.size]).toEqual([points, 0]);
        const decoder = createOtlpDecoder({ maxSeries: 1000 });
        expect(decoder.metrics(payload, 7, testBounds).records).toBe(points);
      }),
      { numRuns: 100 },
    );
  });

  test(`${version}: mutated bytes are translated or refused with a code, never anything else`, () => {
    const mutated = fc
      .tuple(bodies(version), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }), fc.nat())
      .map(([bytes, edits, cut]) => {
        const changed = Uint8Array.from(bytes);
        for (const [at, byte] of edits) if (changed.length > 0) changed[at % changed.length] = byte;
        return cut % 3 === 0 ? changed.subarray(0, cut % (changed.length + 1)) : changed;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          const { payload, sent, written } = translateRemoteWrite(bytes, { version, bounds: testBounds, maxBytes });
          expect(written.samples).toBeLessThanOrEqual(sent.samples);
          expect(scanOtlp('metrics', payload, testBounds).rejected.size).toBe(0);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          expect(['remote_write.malformed', 'remote_write.too_large']).toContain((error as AppError).code);
        }
      }),
      { numRuns: 2000 },
    );
  });
}
