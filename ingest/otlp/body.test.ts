import { randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decompress } from './body.ts';

const mebibyte = 1024 * 1024;
const most = 64 * mebibyte;
/** Compresses about 30 times. */
const plain = (bytes: number) => {
  const word = randomBytes(400);
  return Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 400) }, () => Buffer.concat([word.subarray(0, 390), randomBytes(10)])),
  );
};
const large = plain(12 * mebibyte);

const honest: readonly (readonly [string, string, Uint8Array, Uint8Array])[] = [
  ['gzip', 'gzip', gzipSync(large), large],
  [
    'gzip in members',
    'gzip',
    Buffer.concat([gzipSync(large), gzipSync(large.subarray(0, 100))]),
    Buffer.concat([large, large.subarray(0, 100)]),
  ],
  ['zstd', 'zstd', zstdCompressSync(large), large],
  ['a small gzip body', 'gzip', gzipSync(large.subarray(0, 5000)), large.subarray(0, 5000)],
  ['an empty gzip body', 'gzip', gzipSync(Buffer.alloc(0)), Buffer.alloc(0)],
  [
    'small members, of which only the last one counts in the trailer',
    'gzip',
    Buffer.concat([gzipSync(large.subarray(0, 5000)), gzipSync(large.subarray(0, 100))]),
    Buffer.concat([large.subarray(0, 5000), large.subarray(0, 100)]),
  ],
  [
    'a small body that grows a thousand times',
    'gzip',
    gzipSync(Buffer.alloc(4 * mebibyte)),
    Buffer.alloc(4 * mebibyte),
  ],
];
for (const [what, encoding, body, expected] of honest) {
  test(`${what} is what was compressed`, async () => {
    expect(Buffer.compare(await decompress(body, encoding, most), expected)).toBe(0);
  });
}

const bomb = Buffer.alloc(32 * mebibyte);
const lying = gzipSync(bomb);
lying.writeUInt32LE(1000, lying.length - 4);
const bombs: readonly (readonly [string, string, Uint8Array])[] = [
  ['a gzip bomb', 'gzip', gzipSync(bomb)],
  ['a gzip bomb that claims to be small', 'gzip', lying],
  ['a zstd bomb', 'zstd', zstdCompressSync(bomb)],
];
for (const [what, encoding, body] of bombs) {
  test(`${what} is refused before it has grown`, async () => {
    await expect(decompress(body, encoding, most)).rejects.toMatchObject({ code: 'ingest.too_large', status: 413 });
  });
}

test('small bytes that are no gzip are refused by code', async () => {
  const cut = gzipSync(large.subarray(0, 5000)).subarray(0, -20);
  for (const body of [Buffer.alloc(40), cut])
    await expect(decompress(body, 'gzip', most)).rejects.toMatchObject({ code: 'ingest.encoding_malformed' });
});
