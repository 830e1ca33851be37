import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { giveBack } from './payload-compression.ts';
import { usePayload } from './port.ts';
import { StoredRecord, unpackedBytes } from './stored-record.ts';

const payload = Buffer.alloc(300_000, 'telemetry');
const place = { topic: 'telemetry', partition: 0, offset: 7, appendedAt: 0 } as const;
const stored = (bytes: Uint8Array, compressed: boolean) =>
  new StoredRecord(place, { key: 'k', headers: {} }, { bytes, compressed }, payload.length);

test('the memory of a compressed payload is given back after its use, and the record can be read again', () => {
  const record = stored(gzipSync(payload), true);
  let seen: Uint8Array = new Uint8Array(0);
  for (let time = 0; time < 3; time++) {
    const length = usePayload(record, (bytes) => {
      seen = new Uint8Array(bytes.buffer);
      expect(Buffer.compare(bytes, payload)).toBe(0);
      return bytes.length;
    });
    expect([length, seen.length]).toEqual([payload.length, 0]);
  }
  expect(Buffer.compare(record.payload, payload)).toBe(0);
});

test('it is given back when its reader fails, too', () => {
  const record = stored(gzipSync(payload), true);
  let seen: Uint8Array = new Uint8Array(1);
  const fails = () =>
    usePayload(record, (bytes) => {
      seen = new Uint8Array(bytes.buffer);
      throw new Error('unreadable');
    });
  expect(fails).toThrow('unreadable');
  expect([seen.length, record.payload.length]).toEqual([0, payload.length]);
});

test('a payload that is not compressed is the record itself and stays', () => {
  const record = stored(new Uint8Array(payload), false);
  usePayload(record, () => undefined);
  expect(Buffer.compare(record.payload, payload)).toBe(0);
});

test('what may share its memory with others stays', () => {
  const small = Buffer.from('small');
  const part = Buffer.alloc(1_000_000, 'p').subarray(10, 900_000);
  giveBack(small);
  giveBack(part);
  expect([small.toString(), part.length]).toEqual(['small', 899_990]);
});

test('the length of a payload is what it unpacks to, not what its sender says of it', () => {
  // Two members: the size at the end is that of the second alone.
  const members = Buffer.concat([gzipSync(payload), gzipSync('end')]);
  expect(unpackedBytes({ bytes: members, compressed: true })).toBe(payload.length + 3);
});
