import { describe, expect, it } from 'vitest';
import { checkOptions, PulseOptionError, type PulseOptions } from './options.ts';

const good: PulseOptions = { endpoint: 'http://127.0.0.1:4318/', apiKey: 'pk_abc.DEF-1', serviceName: 'api' };

describe('checkOptions', () => {
  it('gives the resource that Pulse expects and strips the trailing slash', () => {
    const checked = checkOptions(
      {
        ...good,
        tenantId: 'isp-mine',
        region: 'eu-west',
        serviceVersion: '1.2.3',
        attributes: { 'service.name': 'x', room: '7' },
      },
      'host-1',
    );
    expect(checked.endpoint).toBe('http://127.0.0.1:4318');
    expect(checked.metricIntervalMs).toBe(60_000);
    expect(checked.resource).toEqual({
      room: '7',
      'service.namespace': 'dotmac',
      'service.name': 'api',
      'service.instance.id': 'host-1',
      'service.version': '1.2.3',
      'cloud.region': 'eu-west',
      'dotmac.tenant.id': 'isp-mine',
    });
  });

  it('keeps a path prefix of the endpoint', () => {
    expect(checkOptions({ ...good, endpoint: 'https://x.example/otlp/' }, 'h').endpoint).toBe('https://x.example/otlp');
  });

  it.each([
    ['endpoint', { endpoint: '127.0.0.1:4318' }],
    ['endpoint', { endpoint: 'ftp://x' }],
    ['endpoint', { endpoint: 'http://x:4318/v1/metrics' }],
    ['endpoint', { endpoint: 'http://key@x:4318' }],
    ['apiKey', { apiKey: '' }],
    ['apiKey', { apiKey: 'two words' }],
    ['serviceName', { serviceName: '  ' }],
    ['tenantId', { tenantId: 'ISP Alpha' }],
    ['metricIntervalMs', { metricIntervalMs: 10 }],
    ['metricIntervalMs', { metricIntervalMs: Number.NaN }],
    ['onError', { onError: 'print' as never }],
    ['attributes.a', { attributes: { a: '' } }],
  ] as [string, Partial<PulseOptions>][])('names the wrong option %s', (field, wrong) => {
    const run = () => checkOptions({ ...good, ...wrong }, 'h');
    expect(run).toThrow(PulseOptionError);
    expect(run).toThrow(expect.objectContaining({ field, code: 'sdk.option_invalid' }));
  });
});
