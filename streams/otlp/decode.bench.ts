import protobuf from 'protobufjs';
import { createOtlpDecoder } from './decoder.ts';
import { scanOtlp } from './scan.ts';

const bounds = { oldestMs: 0, newestMs: 4e12 };

/** A request as a fleet sends it: `series` series of 6 point attributes under one resource of 6, one point each, the name on every tenth. */
export function metricsPayload(series: number, timeMs: number): Uint8Array {
  const type = schema().lookupType('otlp.MetricsRequest');
  const attributes = (values: Record<string, string>) =>
    Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  const dataPoints = (metric: number) =>
    Array.from({ length: 10 }, (_, i) => ({
      startTimeUnixNano: '1760000000000000000',
      timeUnixNano: `${timeMs}000000`,
      asDouble: metric * 1.5 + i,
      attributes: attributes({
        'http.request.method': i % 2 === 0 ? 'GET' : 'POST',
        'http.route': `/api/v1/customers/${metric}`,
        'http.response.status_code': String(200 + i),
        'network.protocol.version': '1.1',
        'server.address': 'isp.example.net',
        'url.scheme': 'https',
      }),
    }));
  const metrics = Array.from({ length: Math.ceil(series / 10) }, (_, i) => ({
    name: `http.server.requests.${i % 40}`,
    unit: '{request}',
    sum: { dataPoints: dataPoints(i), aggregationTemporality: 2, isMonotonic: true },
  }));
  const resource = {
    attributes: attributes({
      'service.namespace': 'dotmac',
      'service.name': 'isp-framework',
      'service.instance.id': '0b7c8a5e-1c7e-4f57-9d58-3c0a5f0f9a10',
      'service.version': '1.4.2',
      'cloud.region': 'eu-west',
      'dotmac.tenant.id': 'isp-alpha',
    }),
  };
  const request = {
    resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: 'isp', version: '1' }, metrics }] }],
  };
  return type.encode(type.fromObject(request)).finish();
}

const schema = () => protobuf.loadSync(new URL('./testdata/otlp.proto', import.meta.url).pathname).resolveAll();

export interface DecodeRound {
  readonly decodeMs: number;
  readonly scanMs: number;
  readonly objectsMs: number;
}

/** One round: the same bytes `repeats` times through our decoder (series known), the scan, and protobufjs. The three take turns, so that a busy machine slows all alike. */
export function createDecodeBench(payload: Uint8Array): { round(repeats: number): DecodeRound } {
  const type = schema().lookupType('otlp.MetricsRequest');
  const decoder = createOtlpDecoder();
  const timed = (repeats: number, run: () => void) => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) run();
    return (performance.now() - start) / repeats;
  };
  return {
    round(repeats) {
      const decodeMs = timed(repeats, () => decoder.metrics(payload, 1, bounds));
      decoder.takeMetrics();
      const scanMs = timed(repeats, () => scanOtlp('metrics', payload, bounds));
      const objectsMs = timed(repeats, () => type.decode(payload));
      return { decodeMs, scanMs, objectsMs };
    },
  };
}
