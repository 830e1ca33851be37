import { type FastifyInstance, fastify } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { Registry } from 'prom-client';
import { accessPlugin } from 'streams/access';
import { AppError, defaultLimits, TenantId, TenantLimits, type TenantRecord, UsageEvent } from 'streams/contract';
import { type Envelope, fromHeaders, type LogMessage } from 'streams/log';
import { answerError, createLogger, type GatewayListener, type Services } from 'streams/runtime';
import { z } from 'zod';
import { modules } from '../module.ts';

/** The instant at which every test request is received. */
export const receivedAtMs = Date.UTC(2026, 10, 21, 10, 30);

const tenant = (id: string, number: number): TenantRecord => ({
  id: TenantId.parse(id),
  name: id,
  tier: 'small',
  plan: 'professional',
  region: 'eu-west',
  currency: 'EUR',
  timeZone: 'UTC',
  partnerId: null,
  state: 'active',
  createdAt: '2026-01-01T00:00:00.000Z',
  number,
});

/** The door with the real access check, two tenants, and a log that remembers or fails. Keys: `alpha`, `alpha-backfill`, `beta`. Tests only. */
export interface TestDoor {
  readonly http: FastifyInstance;
  readonly otlpHttp: FastifyInstance;
  /** The gRPC server, which a test makes listen itself. */
  readonly otlpGrpc: GatewayListener;
  readonly appended: LogMessage[];
  envelopes(): Envelope[];
  events(): UsageEvent[];
  metrics(): Promise<string>;
  /** Makes the log fail, or hold an append until the returned function is called. */
  failLog(error: Error | null): void;
  holdLog(): () => void;
  /** Gives a tenant limits of its own. */
  setLimits(tenantId: string, overrides: object): void;
}

export async function openTestDoor(
  config: Record<string, unknown> = {},
  now: () => number = () => receivedAtMs,
): Promise<TestDoor> {
  const tenants = [tenant('isp-alpha', 7), tenant('isp-beta', 8)];
  const appended: LogMessage[] = [];
  let failure: Error | null = null;
  let gate: Promise<void> = Promise.resolve();
  const log = {
    async append(_topic: string, messages: readonly LogMessage[]) {
      await gate;
      if (failure !== null) throw failure;
      // As a log does: nothing that was handed over is kept.
      appended.push(...messages.map((message) => ({ ...message, payload: new Uint8Array(message.payload) })));
      return messages.map((_message, offset) => ({ partition: 0, offset }));
    },
  };
  const keys = new Map([
    ['alpha', { tenantId: 'isp-alpha', scopes: [] }],
    ['alpha-backfill', { tenantId: 'isp-alpha', scopes: ['backfill'] }],
    ['beta', { tenantId: 'isp-beta', scopes: [] }],
  ]);
  const registry = new Registry();
  const limits = new Map<string, TenantLimits>();
  const directory = {
    byId: (id: string) => tenants.find((one) => one.id === id),
    byNumber: (number: number) => tenants.find((one) => one.number === number),
    list: () => tenants,
    async refresh() {},
  };
  const access = {
    async authenticate(token: string) {
      const key = keys.get(token);
      return key === undefined ? null : { role: 'tenant' as const, id: `key:${token}`, partnerId: null, ...key };
    },
  };
  const app = () => {
    const instance = fastify() as unknown as FastifyInstance;
    instance.setValidatorCompiler(validatorCompiler);
    instance.setSerializerCompiler(serializerCompiler);
    instance.setErrorHandler((error, request, reply) => answerError(error, request, reply));
    instance.register(accessPlugin({ access, tenants: directory }));
    return instance;
  };
  const services = {
    log,
    clock: { now },
    metrics: registry,
    http: app(),
    otlpHttp: app(),
    listeners: [] as GatewayListener[],
    access,
    tenants: directory,
    limits: { of: (id: string) => limits.get(id) ?? defaultLimits, async refresh() {} },
    // Counts of refused data are tested on a real control plane.
    control: {},
    logger: createLogger('silent'),
  };
  const [definition] = modules;
  if (definition === undefined) throw new Error('the module is missing');
  definition.create(definition.config.parse(config), services as unknown as Services);
  await Promise.all([services.http.ready(), services.otlpHttp.ready()]);
  const [otlpGrpc] = services.listeners;
  if (otlpGrpc === undefined) throw new Error('the gRPC server is missing');
  return {
    http: services.http,
    otlpHttp: services.otlpHttp,
    otlpGrpc,
    appended,
    envelopes: () => appended.map((message) => fromHeaders(message.headers)),
    events: () =>
      appended.flatMap((message) => z.array(UsageEvent).parse(JSON.parse(Buffer.from(message.payload).toString()))),
    metrics: () => registry.metrics(),
    setLimits(tenantId, overrides) {
      limits.set(tenantId, TenantLimits.parse(overrides));
    },
    failLog(error) {
      failure = error;
    },
    holdLog() {
      let open = () => {};
      gate = new Promise((resolve) => {
        open = resolve;
      });
      return open;
    },
  };
}

export const logDown = (): AppError =>
  new AppError('log.unavailable', 'the disk is full', { status: 503, retryable: true });
