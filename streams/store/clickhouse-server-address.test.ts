import { expect, test } from 'vitest';
import { parseServerAddress } from './clickhouse-server-address.ts';

test('a URL says where, as whom, with which password and in which database; separate settings win', () => {
  expect(parseServerAddress('http://operator:op_%2Fx%40@127.0.0.1:8123/pulse')).toEqual({
    url: 'http://127.0.0.1:8123',
    user: 'operator',
    password: 'op_/x@',
    database: 'pulse',
  });
  expect(parseServerAddress('https://ch.example.net:8443', { user: 'u', password: 'p', database: 'd' })).toEqual({
    url: 'https://ch.example.net:8443',
    user: 'u',
    password: 'p',
    database: 'd',
  });
  expect(parseServerAddress('http://[::1]:8123/')).toEqual({
    url: 'http://[::1]:8123',
    user: 'default',
    password: '',
    database: 'default',
  });
});

test('what is no such URL is refused without showing its password', () => {
  const wrong = [
    '8123',
    'tcp://u:secret@h:9000',
    'http://u:secret@h/a-b',
    'http://u:secret@h/a?max_threads=1',
    'http://u:secret@h/a/b',
  ];
  for (const url of wrong) {
    let caught: unknown;
    try {
      parseServerAddress(url);
    } catch (error) {
      caught = error;
    }
    expect([url, caught]).toEqual([url, expect.objectContaining({ code: 'config.invalid', field: 'store.url' })]);
    expect(String((caught as Error).message)).not.toContain('secret');
  }
});
