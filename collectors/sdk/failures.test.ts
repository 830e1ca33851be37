import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { statusBody } from 'streams/otlp';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FailureLog, PulseExportError } from './failures.ts';
import { type Pulse, startPulse } from './pulse.ts';

/** As the exporter reports a refusal: the body read as UTF-8. */
const refusal = (status: number, message: string, json = false) => ({
  message: 'Unauthorized',
  code: status,
  data: Buffer.from(statusBody(json ? 'application/json' : 'application/x-protobuf', status, message)).toString(),
});

describe('PulseExportError', () => {
  it.each([30, 200])('leaves out the details behind a text of %i characters', (length) => {
    const told = `limits.points: ${'n'.repeat(300)}`.slice(0, length);
    const body = statusBody('application/x-protobuf', 429, told, { retryAfterSeconds: 7, field: 'body' });
    const error = new PulseExportError('http://x/v1/logs', {
      message: 'x',
      code: 429,
      data: Buffer.from(body).toString(),
    });
    expect(error.message).toContain(told);
    expect(error.message).not.toContain('google');
  });

  it.each([10, 45, 97, 127, 128, 200])('reads status, code and text from an answer of %i characters', (length) => {
    const told = `access.unauthenticated: ${'n'.repeat(300)}`.slice(0, Math.max(length, 25));
    for (const json of [false, true]) {
      const error = new PulseExportError('http://x/v1/logs', refusal(401, told, json));
      expect(error).toMatchObject({ code: 'access.unauthenticated', status: 401, endpoint: 'http://x/v1/logs' });
      expect(error.message).toBe(`nothing was stored: http://x/v1/logs answered 401 ${told}`);
    }
  });

  it('tells a proxy, a dead address and anything else apart', () => {
    const page = new PulseExportError('u', { message: 'Not Found', code: 404, data: '<html>\n<h1>no</h1></html>' });
    expect(page).toMatchObject({
      code: 'sdk.export_failed',
      status: 404,
      message: 'nothing was stored: u answered 404 Not Found',
    });
    const dead = new PulseExportError('u', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }));
    expect(dead).toMatchObject({ code: 'ECONNREFUSED', status: undefined });
    expect(new PulseExportError('u', new Error('Export failed with retryable status')).code).toBe('sdk.export_failed');
    expect(new PulseExportError('u', undefined).message).toContain('no further word');
  });
});

describe('FailureLog', () => {
  it('writes the first of a kind, then one line a minute with a count', () => {
    const lines: string[] = [];
    let now = 5;
    const log = new FailureLog({ onError: undefined, writeLine: (line) => lines.push(line), nowMs: () => now });
    const key = refusal(401, 'access.unauthenticated: no such key');
    for (; now < 60_000; now += 1_000) log.add('http://x/v1/logs', key);
    expect(lines).toEqual([
      'pulse-sdk: nothing was stored: http://x/v1/logs answered 401 access.unauthenticated: no such key',
    ]);
    log.add('http://x/v1/logs', refusal(403, 'access.tenant_suspended: suspended'));
    log.add('http://x/v1/traces', key);
    expect(lines).toHaveLength(3);
    log.add('http://x/v1/logs', key);
    expect(lines).toHaveLength(4);
    expect(lines[3]).toContain('(and 59 times since the last line)');
  });

  it('an onError that throws is told and keeps nothing from finishing', () => {
    const lines: string[] = [];
    const onError = () => {
      throw new Error('broken');
    };
    new FailureLog({ onError, writeLine: (line) => lines.push(line), nowMs: () => 0 }).add('u', new Error('x'));
    expect(lines).toEqual(['pulse-sdk: onError threw Error: broken at: nothing was stored: u did not take it: x']);
  });
});

describe('a wrong key', () => {
  const message = 'access.unauthenticated: the bearer credential is not known';
  let server: Server;
  let status = 401;
  const seen: string[] = [];
  beforeEach(async () => {
    status = 401;
    seen.length = 0;
    server = createServer((request, response) => {
      request.resume().on('end', () => {
        seen.push(request.url ?? '');
        const type = 'application/x-protobuf';
        response.writeHead(status, { 'content-type': type, connection: 'close' });
        response.end(status === 200 ? undefined : statusBody(type, status, message));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await new Promise((resolve) => server.close(resolve));
  });

  const start = (global: boolean, onError?: (error: PulseExportError) => void): Pulse =>
    startPulse({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      apiKey: 'wrong',
      serviceName: 'api',
      global,
      onError,
    });
  const record = (pulse: Pulse) => {
    pulse.meter('m').createCounter('dotmac.logins').add(1);
    pulse.tracer('t').startSpan('sign in').end();
    pulse.logger('l').emit({ body: 'hello' });
  };

  it.each([false, true])('shutdown rejects after all three signals, with a line each (global: %s)', async (global) => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const pulse = start(global);
    record(pulse);
    const refused = expect.objectContaining({ name: 'PulseExportError', status: 401, code: 'access.unauthenticated' });
    await expect(pulse.shutdown()).rejects.toEqual(refused);
    await expect(pulse.shutdown()).rejects.toEqual(refused);
    expect([...seen].sort()).toEqual(['/v1/logs', '/v1/metrics', '/v1/traces']);
    const lines = stderr.mock.calls.map(([line]) => String(line)).sort();
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(
      /^pulse-sdk: nothing was stored: http:\/\/127\.0\.0\.1:\d+\/v1\/logs answered 401 access\.unauthenticated: the/,
    );
    expect(lines.join('')).not.toContain('wrong');
  });

  it.each(['metrics', 'traces', 'logs'])(
    'forceFlush rejects for %s alone, and not once it is taken',
    async (signal) => {
      const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
      const errors: PulseExportError[] = [];
      const pulse = start(false, (error) => errors.push(error));
      const one = () => {
        if (signal === 'metrics') pulse.meter('m').createCounter('dotmac.logins').add(1);
        else if (signal === 'traces') pulse.tracer('t').startSpan('sign in').end();
        else pulse.logger('l').emit({ body: 'hello' });
      };
      one();
      await expect(pulse.forceFlush()).rejects.toBeInstanceOf(PulseExportError);
      expect(errors.map((error) => error.endpoint.split('/').at(-1))).toEqual([signal]);
      status = 200;
      one();
      await pulse.forceFlush();
      await pulse.shutdown();
      expect(errors).toHaveLength(1);
      expect(stderr).not.toHaveBeenCalled();
    },
  );
});
