import { expect, test } from 'vitest';
import { RecentRecords } from './recent-records.ts';
import { StoredRecord } from './stored-record.ts';

const record = (offset: number, bytes = 1000) =>
  new StoredRecord(
    { topic: 'telemetry', partition: 0, offset, appendedAt: 0 },
    { key: 'k', headers: {} },
    { bytes: new Uint8Array(bytes), compressed: false },
    bytes,
  );

test('the newest records are found by offset, older ones are forgotten once the bytes are over', () => {
  const recent = new RecentRecords(10 * 2024);
  for (let offset = 100; offset < 150; offset++) {
    recent.push(record(offset));
    expect(recent.at(offset)?.offset).toBe(offset);
    expect(recent.at(offset - 9)?.offset).toBe(offset - 9 < 100 ? undefined : offset - 9);
    expect(recent.at(offset - 10)).toBeUndefined();
    expect(recent.at(offset + 1)).toBeUndefined();
  }
});

test('a record larger than the bound is not held, and nothing before it either', () => {
  const recent = new RecentRecords(5000);
  recent.push(record(0));
  recent.push(record(1, 10_000));
  expect([recent.at(0), recent.at(1)]).toEqual([undefined, undefined]);
  recent.push(record(2));
  expect(recent.at(2)?.offset).toBe(2);
});

test('what retention dropped is gone here too', () => {
  const recent = new RecentRecords(1e6);
  for (let offset = 0; offset < 10; offset++) recent.push(record(offset));
  recent.dropBefore(4);
  expect([recent.at(3), recent.at(4)?.offset]).toEqual([undefined, 4]);
});

test('a gap starts anew', () => {
  const recent = new RecentRecords(1e6);
  recent.push(record(0));
  recent.push(record(5));
  expect([recent.at(0), recent.at(5)?.offset]).toEqual([undefined, 5]);
});
