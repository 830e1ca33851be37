import { describe, expect, it } from 'vitest';
import { checksum, checksumSeed, decodeFrame, encodeFrame } from './frame.ts';

const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);

describe('frame', () => {
  // Vectors of RFC 3720 B.4.
  it.each([
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['ascending', ascending, 0x46dd794e],
    ['descending', ascending.toReversed(), 0x113fdb5c],
    ['digits', Buffer.from('123456789'), 0xe3069283],
  ])('has the CRC-32C of %s, also when computed in two steps', (_, bytes, expected) => {
    expect(checksum(bytes)).toBe(expected);
    expect(checksum(bytes.subarray(5), checksum(bytes.subarray(0, 5)))).toBe(expected);
  });

  it('does not copy a large payload', () => {
    const payload = Buffer.alloc(1024 * 1024);
    const buffers = encodeFrame(
      { key: Buffer.from('k'), headers: Buffer.from('{}'), payload, compressed: false, appendedAt: 1 },
      0,
      0,
      0,
    );
    expect(buffers[1]).toBe(payload);
  });

  it('has the bytes that the grammar says', () => {
    const message = {
      key: Buffer.from('k'),
      headers: Buffer.from('{}'),
      payload: Buffer.from('p'),
      compressed: false,
      appendedAt: 5,
    };
    const bytes = Buffer.concat(encodeFrame(message, 3, 7, 0));
    const fields = [
      '1e000000',
      bytes.toString('hex', 4, 8),
      '0300000000000000',
      '0500000000000000',
      '07000000',
      '0100',
      '02000000',
    ];
    expect(bytes.toString('hex')).toBe([...fields, '6b', '7b7d', '70'].join(''));
  });

  it('does not verify under the seed of another partition', () => {
    const message = {
      key: Buffer.from('k'),
      headers: Buffer.from('{}'),
      payload: Buffer.from('p'),
      compressed: false,
      appendedAt: 5,
    };
    const bytes = Buffer.concat(encodeFrame(message, 0, 0, checksumSeed('e', 'telemetry', 0)));
    expect(decodeFrame(bytes, 0, 0, checksumSeed('e', 'telemetry', 0)).kind).toBe('frame');
    expect(decodeFrame(bytes, 0, 0, checksumSeed('e', 'telemetry', 1)).kind).toBe('bad');
  });
});
