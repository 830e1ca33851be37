import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { EmbeddedLogStatus } from './embedded-log.ts';
import type { LogObserver } from './environment.ts';
import type { KafkaLog } from './kafka-log.ts';
import type { SpoolStatus } from './spooled-log.ts';

/** Registers the log's own metrics; gauges ask `status` when they are scraped. */
export function createLogMetrics(registry: Registry, status: () => EmbeddedLogStatus): LogObserver {
  const registers = [registry];
  const records = new Counter({
    name: 'pulse_log_appended_records_total',
    help: 'Records that are on disk.',
    labelNames: ['topic'],
    registers,
  });
  const bytes = new Counter({
    name: 'pulse_log_appended_bytes_total',
    help: 'Bytes of frames that are on disk.',
    labelNames: ['topic'],
    registers,
  });
  const trimmed = new Counter({
    name: 'pulse_log_trimmed_bytes_total',
    help: 'Torn bytes cut off the end of the log at start.',
    registers,
  });
  const sync = new Histogram({
    name: 'pulse_log_sync_seconds',
    help: 'Duration of one sync of a segment; many appends share one.',
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers,
  });
  new Gauge({
    name: 'pulse_log_queue_bytes',
    help: 'Bytes that wait for the disk.',
    registers,
    collect() {
      this.set(status().queueBytes);
    },
  });
  new Gauge({
    name: 'pulse_log_consumer_lag_records',
    help: 'Records appended and not yet committed by a group.',
    labelNames: ['topic', 'partition', 'group'],
    registers,
    collect() {
      for (const { topic, partition, group, records: lag } of status().lag) this.set({ topic, partition, group }, lag);
    },
  });
  return {
    appended: (topic, count, size) => {
      records.inc({ topic }, count);
      bytes.inc({ topic }, size);
    },
    synced: (seconds) => sync.observe(seconds),
    trimmed: (size) => trimmed.inc(size),
  };
}

/** Registers the metrics of a log on Kafka; lag is asked of the brokers when it is scraped, and absent while they are away. */
export function createKafkaMetrics(registry: Registry, log: () => KafkaLog, spool: () => SpoolStatus): LogObserver {
  const registers = [registry];
  const records = new Counter({
    name: 'pulse_log_appended_records_total',
    help: 'Records that all replicas in sync have acknowledged.',
    labelNames: ['topic'],
    registers,
  });
  const bytes = new Counter({
    name: 'pulse_log_appended_bytes_total',
    help: 'Bytes of records that all replicas in sync have acknowledged.',
    labelNames: ['topic'],
    registers,
  });
  const sync = new Histogram({
    name: 'pulse_log_sync_seconds',
    help: 'Duration of one request to the brokers; many appends share one.',
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers,
  });
  new Gauge({
    name: 'pulse_log_queue_bytes',
    help: 'Bytes that wait for the brokers.',
    registers,
    collect() {
      this.set(log().status().queueBytes);
    },
  });
  new Gauge({
    name: 'pulse_log_brokers_reachable',
    help: '1 while the brokers answer, 0 while they are away.',
    registers,
    collect() {
      this.set(log().status().away === null ? 1 : 0);
    },
  });
  new Gauge({
    name: 'pulse_log_assigned_partitions',
    help: 'Partitions that this process consumes for a group.',
    labelNames: ['topic', 'group'],
    registers,
    collect() {
      this.reset();
      for (const { topic, group, partitions } of log().status().owned) this.set({ topic, group }, partitions);
    },
  });
  new Gauge({
    name: 'pulse_log_spool_bytes',
    help: 'Bytes on disk that wait for brokers that are away.',
    registers,
    collect() {
      this.set(spool().bytes);
    },
  });
  new Gauge({
    name: 'pulse_log_consumer_lag_records',
    help: 'Records appended and not yet committed by a group.',
    labelNames: ['topic', 'partition', 'group'],
    registers,
    async collect() {
      this.reset();
      // A scrape must not wait for brokers that are away.
      if (log().status().away !== null) return;
      const all = await log()
        .lag()
        .catch(() => []);
      for (const { topic, partition, group, records: lag } of all) this.set({ topic, partition, group }, lag);
    },
  });
  return {
    appended: (topic, count, size) => {
      records.inc({ topic }, count);
      bytes.inc({ topic }, size);
    },
    synced: (seconds) => sync.observe(seconds),
    trimmed: () => undefined,
  };
}
