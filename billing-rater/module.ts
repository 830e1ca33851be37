import { setTimeout } from 'node:timers/promises';
import { Gauge } from 'prom-client';
import { fencedStore, jobsReadiness, type Leadership, type Lease } from 'streams/control';
import { defineModule, type ModuleDefinition } from 'streams/runtime';
import { storeGroup } from 'streams/store';
import { z } from 'zod';
import { createBillingLedger } from './invoicing/billing-ledger.ts';
import { createSubscriptionReader } from './invoicing/control-subscription-reader.ts';
import { invoiceRoutes, usageRoutes } from './invoicing/http.ts';
import { createInvoiceService } from './invoicing/invoice-service.ts';
import { runLedgerSelfTest } from './invoicing/ledger-self-test.ts';
import { createPeriodFactsReader, readLineChecks } from './invoicing/line-check.ts';
import { qualityRoutes } from './invoicing/quality-http.ts';
import { rateCardRoutes } from './invoicing/rate-card-http.ts';
import { createRateCardStore } from './invoicing/rate-card-store.ts';
import { createReconciliation } from './invoicing/reconciliation.ts';
import { reconciliationRoutes } from './invoicing/reconciliation-http.ts';
import { createClickHouseMeteringStore, createPositionReader } from './metering/clickhouse-metering-store.ts';
import { createClickHouseQualityReader } from './metering/clickhouse-quality-reader.ts';
import { createClickHouseUsageReader } from './metering/clickhouse-usage-reader.ts';
import { runMetering } from './metering/metering-job.ts';
import { createMeteringLoop } from './metering/metering-loop.ts';
import { meteringRebuilder, sealedCutOffs } from './metering/metering-rebuilder.ts';
import { alertRoutes } from './sealing/alerts-http.ts';
import { createLedgerAlertStore } from './sealing/control-ledger-alerts.ts';
import { createSealedPeriodStore } from './sealing/control-sealed-periods.ts';
import { sealingRoutes } from './sealing/http.ts';
import { createLedgerJob } from './sealing/ledger-job.ts';
import { createSealService } from './sealing/seal-service.ts';

/** Sides that a hand-over is received by. */
const hops = ['accepted', 'logged', 'stored', 'rolled_up', 'rated', 'invoiced'] as const;

const BillingConfig = z
  .strictObject({
    /** Pause between two metering runs. */
    meteringIntervalSeconds: z.number().min(1).max(3600).default(5),
    /** Tenant-hours computed by one statement. */
    meteringChunkHours: z.number().int().min(1).max(10_000).default(1000),
    /** Pause between two looks at the conservation ledger. */
    ledgerIntervalSeconds: z.number().min(1).max(3600).default(60),
    /** Days that each look goes back: a period with its grace. */
    ledgerDays: z.number().int().min(1).max(400).default(40),
    /** Late data of a period is taken for so long after its end. */
    graceSeconds: z.number().int().min(0).max(8_640_000).default(259_200),
  })
  .prefault({});

/** Metering, rating and draft invoices. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'billing',
    description: 'jobs: usage facts of touched hours, the kept ledger and its alerts; adds the sample rate cards',
    requires: ['log', 'store', 'control', 'access'],
    config: BillingConfig,
    create(config, services) {
      const { clock, control, leases, log, maintenance, metrics, store, tenants } = services;
      const cutOffs = sealedCutOffs(control);
      const chunkHours = config.meteringChunkHours;
      maintenance.rebuilders.push(meteringRebuilder({ now: () => clock.now(), chunkHours, cutOffs }));
      const logger = services.logger.child({ module: 'billing' });
      let failure: () => string | null = () => null;
      const startMetering = (lease: Lease) => {
        const meteringStore = createClickHouseMeteringStore(fencedStore(store, lease));
        const metering = createMeteringLoop({
          intervalMs: config.meteringIntervalSeconds * 1000,
          run: () =>
            maintenance.gate.run(() =>
              runMetering({
                store: meteringStore,
                storedPositions: () => log.committed('telemetry', storeGroup),
                now: () => clock.now(),
                chunkHours: config.meteringChunkHours,
                onRefused: (hour, code) => logger.error({ ...hour, code }, 'the facts of an hour cannot be computed'),
              }),
            ),
          onError: (error) => logger.error({ err: error }, 'a metering run failed; it is tried again'),
        });
        failure = () => metering.failure();
        metering.start();
        return {
          async stop() {
            await metering.stop();
            failure = () => null;
          },
        };
      };
      const unbalanced = new Gauge({
        name: 'pulse_ledger_unbalanced_hours',
        help: 'Hand-overs of a tenant and hour that do not balance, by receiving side; of the last look at the ledger',
        labelNames: ['to'],
        registers: [metrics],
      });
      const lookedAt = new Gauge({
        name: 'pulse_ledger_looked_at_seconds',
        help: 'When the ledger was looked at last, seconds since the epoch: a ledger that nobody looks at is not balanced',
        registers: [metrics],
      });
      const startLedger = (lease: Lease) => {
        const now = () => clock.now();
        const ledger = createBillingLedger({
          store,
          storedPositions: () => log.committed('telemetry', storeGroup),
          now,
        });
        const job = createLedgerJob({
          ledger,
          reconciliation: createReconciliation(ledger),
          alerts: createLedgerAlertStore(control),
          tenants,
          days: config.ledgerDays,
          fence: lease,
          now,
          onLook({ unbalanced: counts }) {
            for (const to of hops) unbalanced.set({ to }, counts.get(to) ?? 0);
            lookedAt.set(Math.floor(clock.now() / 1000));
          },
        });
        const loop = createMeteringLoop({
          intervalMs: config.ledgerIntervalSeconds * 1000,
          run: () => maintenance.gate.run(() => job.runOnce()),
          onError: (error) => logger.error({ err: error }, 'the ledger could not be looked at; it is tried again'),
        });
        loop.start();
        return { stop: () => loop.stop() };
      };
      let jobs: Leadership[] = [];
      return {
        async start() {
          const added = await createRateCardStore(control).seed({ id: 'system:billing', correlationId: 'start' });
          if (added > 0) logger.info({ cards: added }, 'the sample rate cards were added');
          jobs = [leases.lead('metering', startMetering), leases.lead('ledger', startLedger)];
        },
        ready() {
          const code = failure();
          if (code !== null) return { ready: false, reason: `the last metering run failed: ${code}` };
          return jobs.length > 0 ? jobsReadiness(jobs) : { ready: false, reason: 'billing has not started' };
        },
        async stop() {
          await Promise.all(jobs.map((job) => job.stop()));
        },
      };
    },
  }),
  defineModule({
    name: 'billing-api',
    description:
      'usage, rate cards, draft invoices with evidence, reconciliation, closing of periods, alerts, over HTTP',
    requires: ['log', 'store', 'control', 'access', 'http'],
    section: 'billing',
    config: BillingConfig,
    create(config, services) {
      const { clock, control, http, log, store, tenants } = services;
      const now = () => clock.now();
      const storedPositions = () => log.committed('telemetry', storeGroup);
      const rateCards = createRateCardStore(control);
      const invoices = createInvoiceService({
        usage: createClickHouseUsageReader(store),
        subscriptions: createSubscriptionReader(control),
        rateCards,
        now,
      });
      http.register(invoiceRoutes({ invoices, tenants }));
      http.register(usageRoutes({ invoices, tenants }));
      http.register(qualityRoutes({ quality: createClickHouseQualityReader(store), now }));
      http.register(rateCardRoutes({ rateCards }));
      const ledger = createBillingLedger({ store, storedPositions, now });
      const facts = createPeriodFactsReader(store);
      const reconciliation = createReconciliation(ledger);
      http.register(
        reconciliationRoutes({
          tenants,
          reconciliation,
          lines: async (tenant, period) => (await readLineChecks({ invoices, facts }, tenant, period)).lines,
          selfTest: () => runLedgerSelfTest(store.inDatabase('ledger_self_test')),
          now,
        }),
      );
      const sealing = createSealService({
        reconciliation,
        sealed: createSealedPeriodStore(control),
        lines: (tenant, period) => readLineChecks({ invoices, facts }, tenant, period),
        logEnd: () => log.offsets('telemetry'),
        metered: async () => (await createPositionReader(store)()).positions,
        graceSeconds: config.graceSeconds,
        waitSeconds: 30,
        now,
        wait: (ms) => setTimeout(ms),
      });
      http.register(sealingRoutes({ tenants, sealing }));
      http.register(alertRoutes({ alerts: createLedgerAlertStore(control) }));
      return { async start() {}, ready: () => ({ ready: true }) as const, async stop() {} };
    },
  }),
];
