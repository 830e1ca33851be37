import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineQuery, noParams, readLedger, type Store } from 'streams/store';
import { z } from 'zod';
import type { FaultCheck } from './check.ts';
import { judge, readTotals, sentTotals } from './oracle.ts';
import { openPipeline, type Pipeline, tenantNames } from './pipeline.ts';
import { buildRequest, type Request } from './sender.ts';

/** Tables whose parts are damaged, one table at a time. */
const tables = ['samples', 'usage_events', 'log_records', 'series', 'touched', 'series_hour'] as const;
const minutesMax = 5;

const partPaths = defineQuery({
  file: new URL('./sql/part-paths.sql', import.meta.url),
  params: z.object({ table: z.string() }),
  row: z.object({ path: z.string() }),
});
const scalar = defineQuery({
  file: new URL('./sql/hidden-parts.sql', import.meta.url),
  params: noParams,
  row: z.object({ parts: z.coerce.number() }),
});

/** C11: `columns.txt` of a table's parts is overwritten with zeros while the server is down. */
export const damagedPart: FaultCheck = {
  id: 'C11',
  title: 'columns.txt of every part of a table zeroed, restart',
  guarantee:
    'the loss is noticed at the start, exactly what is missing is taken from the log again, and ledger and tables agree with the source',
  async run({ dir, size, progress }) {
    const count = size === 'full' ? 600 : 40;
    const baseMs = Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000;
    const tenants = [...tenantNames.values()];
    const requests = Array.from({ length: count }, (_, id) => buildRequest(id, tenants[id % 3] ?? '', baseMs));
    let pipeline = await openPipeline({ dir });
    await pipeline.append(requests);
    // Resent by a client: duplicates that the ledger counts, and must count once also after the recovery.
    await pipeline.append(requests.slice(0, 12));
    await pipeline.drain();
    const wrong = (await problems(pipeline, requests)).map((line) => `before: ${line}`);
    let slowest = 0;
    let replayed = 0;
    const chosen = size === 'full' ? tables : tables.slice(0, 2);
    for (const table of chosen) {
      // The engine keeps merged parts for a while and falls back on them: they go too.
      const parts = await pipeline.store.query(partPaths, { table });
      await pipeline.stop();
      if (parts.length === 0) throw new Error(`${table} has no part`);
      for (const { path } of parts) {
        const file = join(path, 'columns.txt');
        if (existsSync(file)) writeFileSync(file, Buffer.alloc(readFileSync(file).length));
      }
      const began = performance.now();
      pipeline = await openPipeline({ dir });
      const { damagedParts, replayedRecords } = pipeline.recovered;
      await pipeline.drain();
      const seconds = (performance.now() - began) / 1000;
      slowest = Math.max(slowest, seconds);
      replayed += replayedRecords;
      if (!damagedParts.some((name) => name.startsWith(`${table}/`))) wrong.push(`${table}: the loss was not noticed`);
      wrong.push(...(await problems(pipeline, requests)).map((line) => `${table}: ${line}`));
      progress(`${table}: ${damagedParts.length} parts, ${replayedRecords} records again, ${seconds.toFixed(1)} s`);
    }
    await pipeline.stop();
    // Another start finds nothing left to do.
    pipeline = await openPipeline({ dir });
    if (pipeline.recovered.replayedBatches > 0) wrong.push('a second start took the same loss for a new one');
    await hiddenParts(pipeline.store, wrong);
    await pipeline.stop();
    if (slowest > minutesMax * 60) wrong.push(`slowest ${slowest} s`);
    return {
      passed: wrong.length === 0,
      figure: `${chosen.length} tables, ${replayed} records taken again, slowest ${slowest.toFixed(1)} s, ${wrong.length} differences`,
      details: wrong.slice(0, 20),
    };
  },
};

async function problems({ store }: Pipeline, requests: readonly Request[]): Promise<string[]> {
  const { differences } = await judge(sentTotals(requests), () => readTotals(store, tenantNames));
  const ledger = (await readLedger(store, today())).flatMap((row) =>
    row.accepted === row.logged && row.logged - row.duplicates === row.stored
      ? []
      : [
          `ledger ${row.signal} ${row.hour}: accepted ${row.accepted}, logged ${row.logged}, duplicates ${row.duplicates}, stored ${row.stored}`,
        ],
  );
  return [...differences, ...ledger];
}

/** The hours of the requests, and a day on either side. */
function today(): { fromHour: number; toHour: number } {
  const day = Math.floor(Date.now() / 86_400_000) * 86_400;
  return { fromHour: day - 86_400, toHour: day + 2 * 86_400 };
}

/** The damaged parts are kept, out of the way, for whoever wants to know what happened. */
async function hiddenParts(store: Store, wrong: string[]): Promise<void> {
  const [row] = await store.query(scalar, {});
  if ((row?.parts ?? 0) === 0) wrong.push('no damaged part was kept');
}
