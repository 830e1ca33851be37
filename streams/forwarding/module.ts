import { Counter, Gauge } from 'prom-client';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import type { Consumer, Log } from '../log/port.ts';
import type { OtlpSignal } from '../otlp/port.ts';
import { secret } from '../runtime/config.ts';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import { createForwarder, forwardGroup } from './forwarder.ts';
import { createOtlpSender } from './otlp-sender.ts';

const list = (value: unknown) =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== '')
    : value;
const Signals = z.preprocess(list, z.array(z.literal(['metrics', 'traces', 'logs'])).min(1));

const Config = z.strictObject({
  /** Base url of a receiver of OTLP/HTTP, such as SigNoz's collector. Nothing is forwarded without it. */
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
  /** `name=value,name=value`, values percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS. */
  headers: secret().optional(),
  compression: z.literal(['gzip', 'none']).default('gzip'),
  signals: Signals.default(['metrics', 'traces', 'logs']),
  /** Only telemetry of these tenants; all when absent. */
  tenants: z.preprocess(list, z.array(z.string()).min(1)).optional(),
  /** Derived metrics, such as service levels, go out too. */
  derived: z.union([z.boolean(), z.literal(['on', 'off']).transform((value) => value === 'on')]).default(true),
  /** What the log has had for longer is left out. */
  maxAgeHours: z.coerce.number().min(0.01).max(2400).default(24),
  timeoutSeconds: z.coerce.number().min(0.1).max(300).default(10),
});
export type ForwardingConfig = z.infer<typeof Config>;

/** *Errors* `config.invalid` when a header is not `name=value`. */
export function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, at).trim().toLowerCase();
    if (at < 1 || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) {
      throw new AppError('config.invalid', 'forwarding.headers is not a list of name=value', {
        field: 'forwarding.headers',
      });
    }
    headers[name] = decodeURIComponent(part.slice(at + 1).trim());
  }
  return headers;
}

/** Where forwarded and derived telemetry goes. Provides `forwardTarget`, null when forwarding is off. */
const forwardTargetModule: ModuleDefinition = defineModule({
  name: 'forward-target',
  description: 'the receiver of OTLP that telemetry is forwarded to',
  requires: [],
  section: 'forwarding',
  config: Config,
  create(config, services) {
    const { endpoint, compression, headers } = config;
    const sender =
      endpoint === undefined
        ? null
        : createOtlpSender(
            {
              endpoint,
              compression,
              headers: headers === undefined ? {} : parseHeaders(headers.reveal()),
              timeoutMs: config.timeoutSeconds * 1000,
            },
            () => services.clock.now(),
          );
    return {
      provides: { forwardTarget: sender === null ? null : { sender, derived: config.derived } },
      async start() {},
      ready: () => ({ ready: true }) as const,
      async stop() {},
    };
  },
});

/** Sends accepted telemetry on; does nothing without an endpoint. */
const forwardingModule: ModuleDefinition = defineModule({
  name: 'forwarding',
  description: 'accepted telemetry to another receiver of OTLP (off without PULSE_FORWARD_OTLP_ENDPOINT)',
  requires: ['log', 'forward-target'],
  config: Config,
  create(config, services) {
    let consumer: Consumer | undefined;
    return {
      async start() {
        const { forwardTarget: target, log, logger, clock, metrics } = services;
        if (target === null) {
          consumer = await leaveBehind(log);
          await consumer?.start();
          return;
        }
        const registers = [metrics];
        const records = new Counter({
          name: 'pulse_forwarded_records_total',
          help: 'Points, spans and log records by what became of them: sent (repeats included), rejected, refused, expired, filtered, unreadable',
          labelNames: ['signal', 'outcome'],
          registers,
        });
        const holding = new Gauge({
          name: 'pulse_forwarding_holding',
          help: '1 while the receiver does not take telemetry',
          registers,
        });
        const lag = new Gauge({
          name: 'pulse_forwarding_lag_records',
          help: 'Records of the log that are not forwarded yet',
          registers,
          async collect() {
            const waiting = await consumer?.lag().catch(() => null);
            if (typeof waiting === 'number') lag.set(waiting);
          },
        });
        holding.set(0);
        consumer = createForwarder({
          log,
          sender: target.sender,
          logger: logger.child({ module: 'forwarding' }),
          now: () => clock.now(),
          signals: new Set<OtlpSignal>(config.signals),
          tenants: config.tenants === undefined ? null : new Set(config.tenants),
          maxAgeMs: config.maxAgeHours * 3_600_000,
          onRecords: (signal, outcome, count) => records.inc({ signal, outcome }, count),
          onHolding: (reason) => holding.set(reason === null ? 0 : 1),
        });
        await consumer.start();
      },
      // A receiver that is away is no reason to take this process out of service.
      ready: () => ({ ready: true }) as const,
      async stop() {
        await consumer?.stop();
      },
    };
  },
});

/** A position of before forwarding was switched off would hold the log for ever: it goes along with the log, and nothing is sent. */
async function leaveBehind(log: Log): Promise<Consumer | undefined> {
  const [committed, offsets] = [await log.committed('telemetry', forwardGroup), await log.offsets('telemetry')];
  const isKnown = committed.some(
    ({ partition, next }) => next > (offsets.find((one) => one.partition === partition)?.first ?? 0),
  );
  if (!isKnown) return undefined;
  return log.consumer({
    topic: 'telemetry',
    group: forwardGroup,
    maxRecords: 10_000,
    maxBytes: 64 * 1024 * 1024,
    lingerMs: 5000,
    handle: async () => undefined,
    onError: () => undefined,
  });
}

export const modules: readonly ModuleDefinition[] = [forwardTargetModule, forwardingModule];
