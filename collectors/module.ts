import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, invariant } from 'streams/contract';
import { defineModule, enabledFlag, type ModuleDefinition, type RunningModule, type Services } from 'streams/runtime';
import { z } from 'zod';
import { type Agent, createAgent } from './agent/agent.ts';
import { enrol, THIS_MACHINE } from './agent/enrol.ts';
import { KubeletConfig } from './agent/kubelet/index.ts';
import { ProbeTarget } from './agent/probe.ts';
import { SnmpConfig } from './agent/snmp/index.ts';
import { type FleetChild, spawnFleet } from './fleet/child-process.ts';
import { PROFILES } from './fleet/profile.ts';
import { createProgressView } from './fleet/progress-view.ts';

const AgentConfig = z.object({
  enabled: enabledFlag.default(true),
  intervalMs: z.coerce.number().int().min(1_000).max(3_600_000).default(15_000),
  /** Null: Pulse's own API, its OTLP port and the local resolver. */
  targets: z.array(ProbeTarget).max(100).nullable().default(null),
  /** Network devices. */
  snmp: SnmpConfig.prefault({}),
  /** Null: this is not a node of a cluster, or nobody is to know of its containers. */
  kubelet: KubeletConfig.nullable().default(null),
});

const DemoConfig = z.object({
  enabled: enabledFlag.default(true),
  days: z.coerce.number().int().min(1).max(390).default(100),
  tenants: z.coerce.number().int().min(1).max(PROFILES.length).default(PROFILES.length),
  seed: z.coerce.number().int().min(0).max(4_294_967_295).default(20261121),
});

/** The modules of `collectors`: both are clients of the running server like any other, over HTTP. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'agent',
    description: 'measures this machine and sends it as tenant this-machine',
    requires: ['gateway'],
    config: AgentConfig,
    create: (config, services) =>
      background(config.enabled, services, 'agent', (signal) => keepAgent(config, services, signal)),
  }),
  defineModule({
    name: 'demo',
    description: 'simulated fleet of ISPs in a child process: 100 days of history, then live',
    requires: ['gateway'],
    config: DemoConfig,
    create: (config, services) =>
      background(config.enabled, services, 'demo', (signal) => keepFleet(config, services, signal)),
  }),
];

/** A module whose work goes on beside the server: the server is ready without it, and its failures are retried, not the server's. */
function background(
  enabled: boolean,
  services: Services,
  name: string,
  work: (signal: AbortSignal) => Promise<void>,
): RunningModule {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  return {
    async start() {
      if (enabled) running = repeat(services, name, stopping.signal, () => work(stopping.signal));
    },
    ready: () => ({ ready: true }),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function repeat(services: Services, name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  for (let delayMs = 1_000; !signal.aborted; delayMs = Math.min(delayMs * 2, 60_000)) {
    const started = services.clock.now();
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) services.logger.error({ err: error }, `${name} failed, trying again`);
    }
    if (services.clock.now() - started > 120_000) delayMs = 1_000;
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
  }
}

async function keepAgent(config: z.infer<typeof AgentConfig>, services: Services, signal: AbortSignal): Promise<void> {
  const { apiUrl, otlpUrl, operatorToken } = await connection(services);
  const apiKey = await enrol(apiUrl, operatorToken, join(services.dataDir, 'agent', 'agent.json'));
  const agent: Agent = createAgent({
    endpoint: otlpUrl,
    apiKey,
    tenantId: THIS_MACHINE.id,
    targets: config.targets ?? defaultTargets(apiUrl, otlpUrl),
    intervalMs: config.intervalMs,
    dataDir: services.dataDir,
    stateDir: join(services.dataDir, 'agent'),
    snmp: config.snmp,
    ...(config.kubelet === null ? {} : { kubelet: config.kubelet }),
    onEvent: ({ level, message }) => services.logger[level](`agent: ${message}`),
  });
  try {
    await aborted(signal);
  } finally {
    // the server is draining: what cannot be sent any more is not worth an error
    await agent.stop().catch((error) => services.logger.warn({ err: error }, 'agent: last measurement not sent'));
  }
}

/** What Pulse promises of itself. */
export function defaultTargets(apiUrl: string, otlpUrl: string): ProbeTarget[] {
  const otlp = new URL(otlpUrl);
  const common = { timeoutMs: 5_000, degradedMs: 1_000, faultDomain: 'platform' } as const;
  const port = Number(otlp.port) || (otlp.protocol === 'https:' ? 443 : 80);
  return [
    { kind: 'http', url: `${apiUrl}/healthz`, component: 'api', ...common },
    { kind: 'tcp', host: otlp.hostname.replace(/^\[|\]$/g, ''), port, component: 'otlp', ...common },
    { kind: 'dns', name: 'localhost', component: 'dns', ...common },
  ];
}

async function keepFleet(config: z.infer<typeof DemoConfig>, services: Services, signal: AbortSignal): Promise<void> {
  const addresses = await connection(services);
  const view = createProgressView(process.stdout, (message) => services.logger.info(message));
  const child: FleetChild = spawnFleet(
    {
      ...addresses,
      stateDir: join(services.dataDir, 'demo'),
      seed: config.seed,
      days: config.days,
      tenantCount: config.tenants,
    },
    view,
  );
  const outcome = await Promise.race([child.ended, aborted(signal)]);
  if (outcome === undefined) return child.stop(10_000);
  throw new AppError('demo.child_ended', `the demo fleet ended with code ${outcome.code}: ${outcome.stderr}`, {
    retryable: true,
  });
}

async function connection(services: Services): Promise<{ apiUrl: string; otlpUrl: string; operatorToken: string }> {
  const { http, otlpHttp } = services.addresses;
  invariant(http !== null && otlpHttp !== null, 'the gateway listens before the collectors start');
  const operatorToken = services.operatorToken();
  return { apiUrl: http, otlpUrl: otlpHttp, operatorToken };
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
