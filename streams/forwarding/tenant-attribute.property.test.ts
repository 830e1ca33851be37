import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeOtlp } from '../otlp/json.ts';
import { withTenant } from './tenant-attribute.ts';

type Attribute = { key: string; value: { stringValue: string } };
const attribute = (key: string, value: string): Attribute => ({ key, value: { stringValue: value } });

const resources = fc.array(
  fc.record({
    attributes: fc.array(
      fc.tuple(fc.constantFrom('service.name', 'dotmac.tenant.id', 'k8s.namespace.name', ''), fc.string()),
      { maxLength: 4 },
    ),
    schemaUrl: fc.constantFrom('', 'https://example.org/schema'),
    names: fc.array(fc.string({ maxLength: 40 }), { maxLength: 3 }),
  }),
  { maxLength: 5 },
);

test('every resource says whose it is; nothing else changes, and what says it already stays byte for byte', () => {
  fc.assert(
    fc.property(resources, fc.stringMatching(/^[a-z0-9-]{1,40}$/), (given, tenant) => {
      const request = (own: boolean) => ({
        resourceLogs: given.map(({ attributes, schemaUrl, names }) => {
          const named = attributes.map(([key, value]) => attribute(key, value));
          const isNamed = named.some(({ key }) => key === 'dotmac.tenant.id');
          return {
            resource: { attributes: own && !isNamed ? [attribute('dotmac.tenant.id', tenant), ...named] : named },
            scopeLogs: [{ logRecords: names.map((name) => ({ body: { stringValue: name } })) }],
            schemaUrl,
          };
        }),
      });
      const changed = withTenant(encodeOtlp('logs', request(false)), tenant);
      expect(Buffer.from(changed)).toEqual(Buffer.from(encodeOtlp('logs', request(true))));
      expect(Buffer.from(withTenant(changed, 'another'))).toEqual(Buffer.from(changed));
    }),
  );
});

test('a request without a resource gets one, and requests laid end to end are one request', () => {
  const bare = encodeOtlp('metrics', { resourceMetrics: [{ scopeMetrics: [] }] });
  const of = (tenant: string) => ({
    resourceMetrics: [{ resource: { attributes: [attribute('dotmac.tenant.id', tenant)] }, scopeMetrics: [] }],
  });
  expect(Buffer.from(withTenant(bare, 'isp-a'))).toEqual(Buffer.from(encodeOtlp('metrics', of('isp-a'))));
  expect(Buffer.concat([withTenant(bare, 'isp-a'), withTenant(bare, 'isp-b')])).toEqual(
    Buffer.from(
      encodeOtlp('metrics', { resourceMetrics: [...of('isp-a').resourceMetrics, ...of('isp-b').resourceMetrics] }),
    ),
  );
});

test('damage is an error, not a guess', () => {
  expect(() => withTenant(Uint8Array.of(0x0a, 0x7f, 1), 'isp-a')).toThrow(
    expect.objectContaining({ code: 'otlp.malformed' }),
  );
});
