import { Gauge, type Registry } from 'prom-client';
import { z } from 'zod';
import { defineQuery, noParams } from './define-query.ts';
import type { Store } from './port.ts';

const partsByTable = defineQuery({
  file: new URL('./sql/parts-by-table.sql', import.meta.url),
  params: noParams,
  row: z.object({ table: z.string(), parts: z.coerce.number() }),
});
/** Scrapes in between get the figures of the last reading: a busy engine is not asked more often. */
const readingMs = 1000;

/** Registers `pulse_store_active_parts`, read when it is scraped while `isOpen`. *Bias* a reading that fails leaves the last figures standing: metrics must not fail with the engine. */
export function registerPartGauge(registry: Registry, store: Store, isOpen: () => boolean): void {
  let readAt = Number.NEGATIVE_INFINITY;
  new Gauge({
    name: 'pulse_store_active_parts',
    help: 'Active parts of a table; merges keep them few',
    labelNames: ['table'],
    registers: [registry],
    async collect() {
      if (!isOpen() || performance.now() - readAt < readingMs) return;
      readAt = performance.now();
      const rows = await store.query(partsByTable, {}, { timeoutSeconds: 2 }).catch(() => []);
      for (const { table, parts } of rows) this.set({ table }, parts);
    },
  });
}
