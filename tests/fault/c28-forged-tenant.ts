import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { encodePoints, sendOtlp } from './otlp-points.ts';

const own = 'isp-own';
const foreign = 'isp-foreign';
/** Names that some part might take apart, decode or walk up. */
const everyName = [
  foreign,
  `${own}|${foreign}`,
  `${foreign}|${own}`,
  `../${foreign}`,
  `..%2f${foreign}`,
  `${own}/../${foreign}`,
  `${own},${foreign}`,
  `${own};${foreign}`,
  `${own}%00${foreign}`,
  `${foreign} `,
  foreign.toUpperCase(),
  '*',
  '%',
  `' OR tenant = '${foreign}`,
];
const headerNames = ['x-tenant-id', 'x-dotmac-tenant-id', 'x-scope-orgid', 'X-Tenant-ID', 'tenant', 'dotmac.tenant.id'];

interface Attempt {
  readonly how: string;
  readonly status: number;
}

/** C28: a tenant's key, and another tenant named wherever a name may stand. */
export const forgedTenant: FaultCheck = {
  id: 'C28',
  title: 'forged tenant',
  guarantee: 'the credential decides the tenant whatever header, body, resource, path, query or gRPC metadata say',
  async run(context) {
    const dataDir = join(context.dir, 'data');
    rmSync(dataDir, { recursive: true, force: true });
    const pulse = await startPulse({ dataDir });
    try {
      const key = await createTenant(pulse, { id: own });
      const foreignKey = await createTenant(pulse, { id: foreign });
      const time = Date.now() - 60_000;
      // Something of the foreign tenant's own, so that a leak has something to show.
      await sendOtlp(pulse.otlpHttp, foreignKey, points('secret.metric', time));
      const names = context.size === 'full' ? everyName : everyName.filter((_, index) => index % 3 === 0);
      const attempts = [
        ...(await writes(pulse, key, time, names)),
        ...(await grpcWrites(pulse, key, time, names)),
        ...(await reads(pulse, key, names)),
      ];
      const wrong: string[] = [];
      for (const { how, status } of attempts) {
        // A body that names nobody's id in the own tenant's namespace may be taken for the own tenant; a fault is never right.
        if (status >= 500 || status === 0) wrong.push(`${how}: answered ${status}`);
      }
      await until(
        () => counts(pulse, foreign),
        (stored) => stored.points === 1,
      );
      // What was taken belongs to the sender; it is all stored before the foreign tenant's counts are looked at again.
      const taken = attempts.filter(({ how, status }) => how.startsWith('write') && status === 200).length;
      await until(
        () => counts(pulse, own),
        (stored) => stored.points + stored.usageEvents === taken,
      );
      const after = await counts(pulse, foreign);
      if (after.points !== 1 || after.usageEvents !== 0)
        wrong.push(`the foreign tenant has ${after.points} points and ${after.usageEvents} events instead of 1 and 0`);
      for (const { how, status } of attempts)
        if (how.startsWith('read') && status === 200) wrong.push(`${how}: was answered`);
      return {
        passed: wrong.length === 0,
        figure: `${attempts.length} attempts, ${wrong.length} crossings, ${taken} taken for the sender`,
        details: wrong,
      };
    } finally {
      await pulse.kill();
    }
  },
};

const points = (metric: string, timeMs: number, tenant?: string) =>
  encodePoints({ metric, timeMs, count: 1, series: () => 's', ...(tenant === undefined ? {} : { tenant }) });

/** Every attempt that is taken stores one record, different from those before it. */
async function writes(pulse: PulseProcess, key: string, time: number, names: readonly string[]): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  let made = 0;
  const event = (extra: object, data: object) => ({
    specversion: '1.0',
    type: 'api_calls',
    source: 'forged',
    id: String(made),
    ...extra,
    data: { value: '1', ...data },
  });
  for (const name of names) {
    const resource = await sendOtlp(pulse.otlpHttp, key, points(`forged.${made++}`, time, name));
    attempts.push({ how: `write resource ${name}`, status: resource.status === 200 ? -1 : resource.status });
    for (const header of headerNames) {
      if (/[^\x20-\x7e]/.test(name)) continue;
      const body = points(`forged.${made++}`, time);
      const { status } = await sendOtlp(pulse.otlpHttp, key, body, { headers: { [header]: name } });
      attempts.push({ how: `write header ${header}: ${name}`, status });
    }
    const query = `/v1/metrics?tenant=${encodeURIComponent(name)}`;
    const { status } = await sendOtlp(pulse.otlpHttp, key, points(`forged.${made++}`, time), { path: query });
    attempts.push({ how: `write query ${name}`, status });
    for (const [where, body] of [
      ['data', event({}, { tenant: name, tenantId: name })],
      ['extension', event({ tenantid: name }, {})],
      ['top', event({ tenant: name }, {})],
    ] as const) {
      made++;
      const answer = await call(pulse, '/api/v1/plugins/usage-events', {
        token: key,
        body: { ...body, id: `e${made}` },
      });
      attempts.push({ how: `write event ${where} ${name}`, status: answer.status });
    }
  }
  const forged = attempts.filter(({ status }) => status === -1);
  if (forged.length > 0) throw new Error(`taken although the resource names another tenant: ${forged[0]?.how}`);
  return attempts;
}

async function grpcWrites(
  pulse: PulseProcess,
  key: string,
  time: number,
  names: readonly string[],
): Promise<Attempt[]> {
  const client = new Client(new URL(pulse.otlpGrpc).host, credentials.createInsecure());
  const path = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
  const same = (bytes: Uint8Array) => Buffer.from(bytes);
  const send = (entries: Readonly<Record<string, string>>, body: Uint8Array) =>
    new Promise<number>((resolve) => {
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${key}`);
      for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
      client.makeUnaryRequest(
        path,
        same,
        (bytes: Buffer) => bytes,
        body,
        metadata,
        (error) => {
          // PERMISSION_DENIED and INVALID_ARGUMENT are refusals, everything else that is not OK is a fault.
          resolve(error === null ? 200 : error.code === 7 || error.code === 3 ? 403 : 500);
        },
      );
    });
  const attempts: Attempt[] = [];
  let made = 0;
  for (const name of names) {
    attempts.push({
      how: `write gRPC metadata ${name}`,
      status: await send({ 'x-tenant-id': name, 'x-scope-orgid': name }, points(`grpc.${made++}`, time)),
    });
    const resource = await send({}, points(`grpc.${made++}`, time, name));
    if (resource === 200) throw new Error(`taken by gRPC although the resource names ${name}`);
    attempts.push({ how: `gRPC resource ${name}`, status: resource });
  }
  client.close();
  return attempts;
}

async function reads(pulse: PulseProcess, key: string, names: readonly string[]): Promise<Attempt[]> {
  const range = `start=${new Date(Date.now() - 86_400_000).toISOString()}&end=${new Date().toISOString()}`;
  const attempts: Attempt[] = [];
  for (const name of names) {
    const tenant = encodeURIComponent(name);
    for (const path of [
      `/api/v1/telemetry/counts?tenant=${tenant}&${range}`,
      `/api/v1/telemetry/counts?tenant=${own}&tenant=${tenant}&${range}`,
      `/api/v1/telemetry/metrics?tenant=${tenant}`,
      `/api/v1/telemetry/rejected?tenant=${tenant}&${range}`,
      `/api/v1/tenants/${tenant}`,
      `/api/v1/tenants/${tenant}/limits`,
    ]) {
      const { status } = await call(pulse, path, { token: key });
      attempts.push({ how: `read ${path}`, status });
    }
  }
  return attempts;
}

async function counts(pulse: PulseProcess, tenant: string): Promise<{ points: number; usageEvents: number }> {
  const range = `start=${new Date(Date.now() - 86_400_000).toISOString()}&end=${new Date(Date.now() + 86_400_000).toISOString()}`;
  const { body } = await call<{ points: number; usageEvents: number }>(
    pulse,
    `/api/v1/telemetry/counts?tenant=${tenant}&${range}`,
  );
  return body;
}
