import { fencedStore, jobsReadiness, type Leadership, type Lease } from 'streams/control';
import { defineModule, type ModuleDefinition } from 'streams/runtime';
import { storeGroup } from 'streams/store';
import { z } from 'zod';
import { createBillingLedger } from './invoicing/billing-ledger.ts';
import { createSubscriptionReader } from './invoicing/control-subscription-reader.ts';
import { invoiceRoutes, usageRoutes } from './invoicing/http.ts';
import { createInvoiceService } from './invoicing/invoice-service.ts';
import { createPeriodFactsReader, readLineChecks } from './invoicing/line-check.ts';
import { qualityRoutes } from './invoicing/quality-http.ts';
import { rateCardRoutes } from './invoicing/rate-card-http.ts';
import { createRateCardStore } from './invoicing/rate-card-store.ts';
import { createReconciliation } from './invoicing/reconciliation.ts';
import { reconciliationRoutes } from './invoicing/reconciliation-http.ts';
import { createClickHouseMeteringStore } from './metering/clickhouse-metering-store.ts';
import { createClickHouseQualityReader } from './metering/clickhouse-quality-reader.ts';
import { createClickHouseUsageReader } from './metering/clickhouse-usage-reader.ts';
import { runMetering } from './metering/metering-job.ts';
import { createMeteringLoop } from './metering/metering-loop.ts';
import { meteringRebuilder } from './metering/metering-rebuilder.ts';

const BillingConfig = z
  .strictObject({
    /** Pause between two metering runs. */
    meteringIntervalSeconds: z.number().min(1).max(3600).default(5),
    /** Tenant-hours computed by one statement. */
    meteringChunkHours: z.number().int().min(1).max(10_000).default(1000),
  })
  .prefault({});

/** Metering, rating and draft invoices. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'billing',
    description: 'jobs: usage facts of touched hours; adds the sample rate cards',
    requires: ['log', 'store', 'control'],
    config: BillingConfig,
    create(config, services) {
      const { clock, control, leases, log, maintenance, store } = services;
      maintenance.rebuilders.push(meteringRebuilder({ now: () => clock.now(), chunkHours: config.meteringChunkHours }));
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
      let job: Leadership | undefined;
      return {
        async start() {
          const added = await createRateCardStore(control).seed({ id: 'system:billing', correlationId: 'start' });
          if (added > 0) logger.info({ cards: added }, 'the sample rate cards were added');
          job = leases.lead('metering', startMetering);
        },
        ready() {
          const code = failure();
          if (code !== null) return { ready: false, reason: `the last metering run failed: ${code}` };
          return job ? jobsReadiness([job]) : { ready: false, reason: 'billing has not started' };
        },
        async stop() {
          await job?.stop();
        },
      };
    },
  }),
  defineModule({
    name: 'billing-api',
    description: 'usage, rate cards, draft invoices with evidence, reconciliation, over HTTP',
    requires: ['log', 'store', 'control', 'access', 'http'],
    config: z.strictObject({}),
    create(_config, services) {
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
      http.register(
        reconciliationRoutes({
          tenants,
          reconciliation: createReconciliation(ledger),
          lines: async (tenant, period) => (await readLineChecks({ invoices, facts }, tenant, period)).lines,
          now,
        }),
      );
      return { async start() {}, ready: () => ({ ready: true }) as const, async stop() {} };
    },
  }),
];
