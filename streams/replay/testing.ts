import { existsSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UsageEvent } from '../contract/index.ts';
import { createEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions, type LogMessage } from '../log/index.ts';
import { createOtlpDecoder, timeBounds } from '../otlp/index.ts';
import { createWorkGate } from '../runtime/work-gate.ts';
import { createChdbStore } from '../store/chdb-store.ts';
import type { Store } from '../store/port.ts';
import { createRollUpJob } from '../store/roll-up-job.ts';
import { fixedClock, silentLogger } from '../store/store-fixture.ts';
import { createTelemetryConsumer } from '../store/telemetry-consumer.ts';
import {
  BatchFeed,
  histogramMetric,
  logRequest,
  numberMetric,
  receivedAt,
  spanRequest,
} from '../store/telemetry-fixture.ts';
import { copyEmptyStore } from '../store/test-store.ts';
import { openUsageIdentities } from '../store/usage-identities.ts';
import type { Maintenance } from './port.ts';
import { roll, rollUpRebuilder } from './roll-up-rebuilder.ts';

export { receivedAt } from '../store/telemetry-fixture.ts';

/** A log, tables and a consumer of a test, with what a replay needs of them. */
export interface ReplayFixture {
  readonly dir: string;
  readonly log: EmbeddedLog;
  readonly store: Store;
  readonly maintenance: Maintenance;
  /** Takes what waits in the log into the tables, and rolls it up. */
  drain(): Promise<void>;
  append(feed: BatchFeed): Promise<void>;
  close(): Promise<void>;
}

/** The feed's records as messages of their tenants. */
export function messagesOf(feed: BatchFeed): LogMessage[] {
  return feed.plan().records.map(({ headers, payload }) => {
    const { tenant } = JSON.parse(headers['pulse'] ?? '{}') as { tenant: string };
    return { key: tenant, headers, payload };
  });
}

/** Opens everything below `dir` as a server does below its data directory. */
export async function openReplayFixture(
  logOptions: Partial<EmbeddedLogOptions> = {},
  dir = mkdtempSync(join(tmpdir(), 'pulse-replay-')),
): Promise<ReplayFixture> {
  if (!existsSync(join(dir, 'store'))) await copyEmptyStore(join(dir, 'store'));
  const store = createChdbStore({
    dir: join(dir, 'store'),
    memoryBytes: 600e6,
    connections: 3,
    logger: silentLogger,
    clock: fixedClock(receivedAt),
  });
  await store.start();
  const clock = fixedClock(receivedAt);
  const log = createEmbeddedLog({ dir: join(dir, 'log'), clock, ...logOptions });
  await log.start();
  const identities = openUsageIdentities(join(dir, 'usage-identities'));
  const gate = createWorkGate();
  const settings = {
    log,
    tenants: { byNumber: () => undefined },
    createDecoder: () => createOtlpDecoder(),
    bounds: (at: number) => timeBounds(at),
    retentionDays: 400,
    clock,
    logger: silentLogger,
    lingerMs: 0,
    maxRecords: 6,
  };
  const consumer = createTelemetryConsumer({ ...settings, store, identities });
  const job = createRollUpJob({ store, log, logger: silentLogger, lag: () => consumer.lag() });
  const maintenance: Maintenance = {
    gate,
    rebuilders: [rollUpRebuilder(silentLogger)],
    consumerInto: (other) => createTelemetryConsumer({ ...settings, store: other, identities }),
  };
  return {
    dir,
    log,
    store,
    maintenance,
    async append(feed) {
      await log.append('telemetry', messagesOf(feed));
    },
    async drain() {
      await consumer.start();
      while ((await consumer.lag()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      await consumer.stop();
      await roll(job);
    },
    async close() {
      await job.stop();
      await log.stop();
      await identities.close();
      await store.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const hourMs = 3_600_000;
/** Start of the first of the hours that {@link threeHours} fills. */
export const firstHourMs = Date.UTC(2026, 10, 21, 9);

/** Three hours of two tenants: counters, histograms, spans, logs and events, with resends, a late copy and a conflict among them. */
export function threeHours(): BatchFeed {
  const feed = new BatchFeed();
  for (const tenant of [1, 2]) {
    for (const hour of [0, 1, 2]) {
      const at = firstHourMs + hour * hourMs + tenant * 1000;
      const points = Array.from({ length: 20 }, (_, index) => [at + index * 120_000, hour * 100 + index] as const);
      const counter = numberMetric('dotmac.logins', points, { counter: true, startMs: firstHourMs - 1000 });
      feed.otlp('metrics', counter, tenant);
      feed.otlp('metrics', numberMetric('dotmac.tickets.open', points), tenant);
      feed.otlp('metrics', histogramMetric('http.server.request.duration', [at, at + 60_000]), tenant);
      feed.otlp('traces', spanRequest([`b7ad6b716920333${hour}`], at), tenant);
      feed.otlp('logs', logRequest([`line ${hour}`, `line ${hour}`], at), tenant);
      const events: Partial<UsageEvent>[] = [0, 1].map((index) => ({
        id: `e${hour}-${index}`,
        value: `${hour + index}.5`,
        time: new Date(at + index).toISOString(),
      }));
      feed.events(events, tenant);
      if (hour === 1) feed.otlp('metrics', counter, tenant).events(events, tenant);
      if (hour === 2) feed.events([{ ...events[0], value: '99' }], tenant);
    }
    // Other values for points that stand already: the last counts when both came on time.
    feed.otlp('metrics', numberMetric('dotmac.tickets.open', [[firstHourMs + tenant * 1000, 77]]), tenant);
    const late = numberMetric('dotmac.tickets.open', [[firstHourMs + hourMs + tenant * 1000, 88]]);
    const hours = [{ hour: (firstHourMs + hourMs) / 1000, records: 1 }];
    const produced = [{ producer: 'run', first: 1, count: 1, anchored: true, hours }];
    feed.otlp('metrics', late, tenant, { lateAfterSeconds: 60, produced });
  }
  return feed;
}
