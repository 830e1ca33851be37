import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, createTenant, startPulse } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { dataRules } from './otlp/data-rules.ts';
import { grpcRules } from './otlp/grpc-rules.ts';
import { httpRules } from './otlp/http-rules.ts';
import { jsonRules } from './otlp/json-rules.ts';
import type { Rule, Target } from './otlp/target.ts';

const alone: readonly Rule[] = [...httpRules, ...jsonRules, ...grpcRules];
const together = dataRules;
const rules = [...alone, ...together];

const origin = 'https://portal.example';

/** Small bounds and short timeouts, so that the refusals of the specification can be met. */
const settings = `
server:
  headersTimeoutSeconds: 1
  requestTimeoutSeconds: 1.5
  connectionsCheckSeconds: 0.1
  corsOrigins: ['${origin}']
ingest:
  maxBodyMiB: 1
  maxDecompressedMiB: 2
  maxInFlightMiB: 1
`;

async function openTarget(dir: string): Promise<Target> {
  const file = join(dir, 'pulse.yaml');
  writeFileSync(file, settings);
  const pulse = await startPulse({ dataDir: join(dir, `data-${randomUUID()}`), args: [`--config=${file}`] });
  const tenant = 'isp-conformance';
  const narrowTenant = 'isp-narrow';
  const key = await createTenant(pulse, { id: tenant });
  const narrowKey = await createTenant(pulse, { id: narrowTenant });
  const { status } = await call(pulse, `/api/v1/tenants/${narrowTenant}/limits`, {
    method: 'PATCH',
    body: { concurrentRequests: 1 },
  });
  if (status !== 200) throw new Error(`the limits of ${narrowTenant} were not taken: ${status}`);
  return { pulse, key, tenant, narrowKey, narrowTenant, origin };
}

/** C45: each rule of the OTLP specification against a real server, over HTTP with protobuf and JSON and over gRPC. */
export const otlpConformance: FaultCheck = {
  id: 'C45',
  title: 'OTLP conformance',
  guarantee: 'every rule of the OTLP specification holds over HTTP/protobuf, HTTP/JSON and gRPC',
  async run(context) {
    const target = await openTarget(context.dir);
    const broken: string[] = [];
    try {
      const judge = async ({ id, text, check }: Rule) => {
        try {
          await check(target);
        } catch (error) {
          broken.push(`${id} – ${text}: ${error instanceof Error ? error.message : String(error)}`);
          context.progress(broken.at(-1) ?? '');
        }
      };
      // Some of these fill the door on purpose: one after another. The others wait for the store, all together.
      for (const rule of alone) await judge(rule);
      await Promise.all(together.map(judge));
      if (target.pulse.child.exitCode !== null) broken.push('the server has ended');
    } finally {
      await target.pulse.stop();
    }
    const held = rules.length - broken.length;
    return { passed: broken.length === 0, figure: `${held} of ${rules.length} rules`, details: broken };
  },
};
