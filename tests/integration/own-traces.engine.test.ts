import { expect, test } from 'vitest';
import { exportByGrpc } from '../grpc-client.ts';
import { call, createTenant, startPulse, until } from '../pulse-process.ts';

test("a server's own requests arrive as spans where OTEL_EXPORTER_OTLP_ENDPOINT points to", async () => {
  const collector = await startPulse();
  try {
    const key = await createTenant(collector, { id: 'pulse-itself' });
    const traced = await startPulse({
      environment: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttp,
        OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${key}`,
      },
    });
    await call(traced, '/api/v1/tenants');
    expect((await exportByGrpc(traced.otlpGrpc, new Uint8Array(0))).message).toContain('access.unauthenticated');
    expect(await traced.stop()).toBe(0);
    const range = `start=${new Date(Date.now() - 600_000).toISOString()}&end=${new Date(Date.now() + 60_000).toISOString()}`;
    const counts = await until(
      async () => (await call(collector, `/api/v1/telemetry/counts?${range}`, { token: key })).body,
      (body) => Number(body['spans']) > 0,
    );
    expect(counts['spans']).toBe(2);
  } finally {
    await collector.stop();
  }
});
