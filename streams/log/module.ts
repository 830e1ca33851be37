import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { enabledFlag, type Secret, secret } from '../runtime/config.ts';
import { defineModule, type ModuleDefinition, type RunningModule, type Services } from '../runtime/module.ts';
import { createEmbeddedLog, type EmbeddedLog } from './embedded-log.ts';
import { type KafkaConnectionOptions, saslMechanisms } from './kafka-cluster.ts';
import { createKafkaLog, type KafkaLog } from './kafka-log.ts';
import { createKafkaMetrics, createLogMetrics } from './metrics.ts';
import { applyRetention } from './retention.ts';
import { createSpooledLog, type SpooledLog } from './spooled-log.ts';

const mebibyte = 1024 * 1024;
const retentionEveryMs = 3_600_000;

const broker = z.string().regex(/^(\[[0-9a-f:]+\]|[^\s:,]+):\d{1,5}$/i, 'a broker such as kafka-1.example.net:9092');
/** A list, or one string with commas as the environment has it. */
const brokers = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((one) => one.trim()) : value),
  z.array(broker).min(1),
);
const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

const logConfig = z
  .strictObject({
    segmentMiB: z.int().min(1).max(1024).default(64),
    queueMiB: z.int().min(8).max(4096).default(64),
    recentMiB: z.int().min(0).max(1024).default(24),
    /** The dispute window: replay and recomputation of a bill need the raw records. */
    retentionDays: z.int().min(100).max(3650).default(100),
    /** With brokers the log is on Kafka, without in this process. */
    kafkaBrokers: brokers.optional(),
    kafkaTopicPrefix: z
      .string()
      .regex(/^[a-z0-9._-]{0,60}$/)
      .default('pulse.'),
    /** Of topic `telemetry`, when it is made. */
    kafkaPartitions: whole(1, 1000).default(12),
    /** Default: three, or the number of brokers when there are fewer. */
    kafkaReplication: whole(1, 9).optional(),
    kafkaSessionMs: whole(1000, 300_000).default(10_000),
    kafkaRebalanceMs: whole(1000, 600_000).default(60_000),
    kafkaTls: enabledFlag.default(false),
    /** PEM files: the authority of the brokers, and Pulse's own certificate where they ask for one. */
    kafkaTlsCa: z.string().min(1).optional(),
    kafkaTlsCert: z.string().min(1).optional(),
    kafkaTlsKey: z.string().min(1).optional(),
    kafkaSaslMechanism: z.literal(saslMechanisms).optional(),
    kafkaSaslUsername: z.string().min(1).optional(),
    kafkaSaslPassword: secret().optional(),
    /** Disk for records that are accepted while the brokers are away; 0 refuses them instead. */
    spoolMiB: whole(0, 1_048_576).default(1024),
  })
  .superRefine((config, context) => {
    const mistake = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: user, kafkaSaslPassword: password } = config;
    const given = [mechanism, user, password].filter((value) => value !== undefined).length;
    if (given !== 0 && given !== 3)
      mistake('kafkaSaslMechanism', 'kafkaSaslMechanism, kafkaSaslUsername and kafkaSaslPassword go together');
    if ((config.kafkaTlsCert === undefined) !== (config.kafkaTlsKey === undefined))
      mistake('kafkaTlsCert', 'kafkaTlsCert and kafkaTlsKey go together');
    if (!config.kafkaTls && (config.kafkaTlsCa ?? config.kafkaTlsCert) !== undefined)
      mistake('kafkaTls', 'certificates are given and kafkaTls is off');
    if (mechanism === 'PLAIN' && !config.kafkaTls)
      mistake('kafkaSaslMechanism', 'PLAIN sends the password in the clear: it needs kafkaTls');
  });
type LogConfig = z.infer<typeof logConfig>;

/** The durable log: under `DATA_DIR/log`, or on Kafka. Provides `log`. */
export const logModule: ModuleDefinition = defineModule({
  name: 'log',
  description: 'durable log: append-only segments under the data directory, or Kafka',
  requires: [],
  config: logConfig,
  create: (config, services) =>
    config.kafkaBrokers === undefined ? embedded(config, services) : onKafka(config, config.kafkaBrokers, services),
});

function embedded(config: LogConfig, services: Services): RunningModule {
  // The metrics read the log's status when they are scraped, and the log reports to the metrics.
  const log: EmbeddedLog = createEmbeddedLog({
    dir: `${services.dataDir}/log`,
    segmentBytes: config.segmentMiB * mebibyte,
    queueBytes: config.queueMiB * mebibyte,
    recentBytes: config.recentMiB * mebibyte,
    clock: services.clock,
    logger: services.logger,
    observer: createLogMetrics(services.metrics, () => log.status()),
  });
  let running: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const retain = () => {
    const { clock, logger } = services;
    running = applyRetention({ log, clock, logger, days: config.retentionDays }).catch((error: unknown) =>
      logger.error({ err: error }, 'log: retention failed, it is tried again in an hour'),
    );
  };
  return {
    provides: { log },
    async start() {
      await log.start();
      timer = setInterval(retain, retentionEveryMs);
      timer.unref();
    },
    ready: () => {
      const { started, damaged } = log.status();
      if (!started) return { ready: false, reason: 'the log has not started' };
      if (damaged.length > 0) return { ready: false, reason: `the disk refuses writes of ${damaged.join(', ')}` };
      return { ready: true };
    },
    async stop() {
      clearInterval(timer);
      await running;
      await log.stop();
    },
  };
}

function onKafka(config: LogConfig, kafkaBrokers: readonly string[], services: Services): RunningModule {
  const { clock, logger, metrics, dataDir } = services;
  const remote: KafkaLog = createKafkaLog({
    connection: connectionOf(config, kafkaBrokers),
    clock,
    logger,
    prefix: config.kafkaTopicPrefix,
    partitions: config.kafkaPartitions,
    ...(config.kafkaReplication === undefined ? {} : { replication: config.kafkaReplication }),
    retentionDays: config.retentionDays,
    queueBytes: config.queueMiB * mebibyte,
    sessionMs: config.kafkaSessionMs,
    rebalanceMs: config.kafkaRebalanceMs,
    observer: createKafkaMetrics(
      metrics,
      () => remote,
      () => log.spool(),
    ),
  });
  const bytesMax = config.spoolMiB * mebibyte;
  const log: SpooledLog = createSpooledLog({ remote, dir: `${dataDir}/spool`, bytesMax, clock, logger });
  return {
    provides: { log },
    start: () => log.start(),
    ready: () => {
      const { started, away } = remote.status();
      if (!started) return { ready: false, reason: 'the log has not started' };
      if (away !== null && bytesMax === 0) return { ready: false, reason: away };
      if (log.spool().isFull) return { ready: false, reason: 'the brokers are away and the spool is full' };
      return { ready: true };
    },
    stop: () => log.stop(),
  };
}

function connectionOf(config: LogConfig, kafkaBrokers: readonly string[]): KafkaConnectionOptions {
  const pem = (file: string) => readFileSync(file, 'utf8');
  const { kafkaTlsCa: ca, kafkaTlsCert: cert, kafkaTlsKey: key } = config;
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword: password } = config;
  const tls = {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined || key === undefined ? {} : { cert: pem(cert), key: pem(key) }),
  };
  const reveal = (hidden: Secret) => () => hidden.reveal();
  return {
    brokers: kafkaBrokers,
    ...(config.kafkaTls ? { tls } : {}),
    ...(mechanism === undefined || username === undefined || password === undefined
      ? {}
      : { sasl: { mechanism, username, password: reveal(password) } }),
  };
}
