import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkTransport, parseSections, readConfig, ServerConfig, secret } from './config.ts';

const inFile = (text: string) => {
  const file = join(mkdtempSync(join(tmpdir(), 'pulse-config-')), 'pulse.yaml');
  writeFileSync(file, text);
  return file;
};

describe('the configuration', () => {
  test('takes the file, then the environment, then the command line; the later one wins', () => {
    const file = inFile('server:\n  httpPort: 1\n  otlpHttpPort: 2\n  dataDir: /file\n');
    const { sections } = readConfig([`--config=${file}`, '--data-dir=/line'], {
      PULSE_OTLP_HTTP_PORT: '3',
      PULSE_DATA_DIR: '/env',
    });
    expect(ServerConfig.parse(sections['server'])).toMatchObject({ httpPort: 1, otlpHttpPort: 3, dataDir: '/line' });
  });

  test('reports all mistakes together, each with its path', () => {
    const sections = { server: { httpPort: 70_000, colour: 'red' }, nonsense: {}, log: { segmentMiB: 'many' } };
    const schemas = { server: ServerConfig, log: z.object({ segmentMiB: z.coerce.number() }) };
    let message = '';
    try {
      parseSections(sections, schemas);
    } catch (error) {
      message = String(error);
    }
    for (const path of ['server.httpPort', 'colour', 'nonsense: no such section', 'log.segmentMiB'])
      expect(message).toContain(path);
  });

  test('refuses an unknown option, a missing file and a file that is no mapping', () => {
    const refused = expect.objectContaining({ code: 'config.invalid' });
    expect(() => readConfig(['--nonsense'], {})).toThrowError(refused);
    expect(() => readConfig(['--config=/does/not/exist.yaml'], {})).toThrowError(refused);
    expect(() => readConfig([`--config=${inFile('- 1\n- 2\n')}`], {})).toThrowError(refused);
  });

  test('is frozen, and never prints a secret', () => {
    const parsed = parseSections({ stripe: { apiKey: 'sk_live_1' } }, { stripe: z.object({ apiKey: secret() }) });
    expect(JSON.stringify(parsed)).toBe('{"stripe":{"apiKey":"[redacted]"}}');
    expect(String((parsed['stripe'] as { apiKey: unknown }).apiKey)).toBe('[redacted]');
    expect(Object.isFrozen(parsed['stripe'])).toBe(true);
  });
});

describe('a listener that others can reach', () => {
  test.each([
    [{ host: '0.0.0.0' }, false],
    [{ host: '0.0.0.0', tls: 'terminated-upstream' }, true],
    [{ host: '10.0.0.1', tlsCert: 'a', tlsKey: 'b' }, true],
    [{ host: '127.0.0.1' }, true],
    [{ host: '::1' }, true],
    [{ host: '127.0.0.1', tlsCert: 'a' }, false],
  ])('%j is accepted: %s', (server, accepted) => {
    const check = () => checkTransport(ServerConfig.parse(server));
    if (accepted) expect(check).not.toThrow();
    else expect(check).toThrowError(expect.objectContaining({ code: 'config.invalid' }));
  });
});

test('origins come as a list or with commas between them, and must be origins', () => {
  const of = (corsOrigins: unknown) => ServerConfig.parse({ corsOrigins }).corsOrigins;
  expect(of('https://a.example, http://b.example:8080')).toEqual(['https://a.example', 'http://b.example:8080']);
  expect(of(['*'])).toEqual(['*']);
  expect(() => of('https://a.example/path')).toThrow('an origin such as');
  expect(() => of('a.example')).toThrow();
});

test('headers may not have more time than the request that they are part of', () => {
  const config = ServerConfig.parse({ headersTimeoutSeconds: 30, requestTimeoutSeconds: 20 });
  expect(() => checkTransport(config)).toThrowError(expect.objectContaining({ field: 'server.headersTimeoutSeconds' }));
});

test('a variable that nothing reads is named instead of ignored in silence', () => {
  const environment = {
    PULSE_HTTP_PRT: '1',
    PULSE_NATS_URL: 'a:1',
    PULSE_TOKEN: 'x',
    PULSE_DEMO: 'off',
    HOME: '/',
  };
  expect(readConfig([], environment).unreadNames).toEqual(['PULSE_HTTP_PRT', 'PULSE_NATS_URL']);
});
