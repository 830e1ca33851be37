import { defineQuery, noParams, readLedger } from 'streams/store';
import { z } from 'zod';
import type { FaultCheck } from './check.ts';
import { judge, readTotals, sentTotals } from './oracle.ts';
import { openPipeline, tenantNames } from './pipeline.ts';
import { buildRequest, type Request } from './sender.ts';

const physicalRows = defineQuery({
  file: new URL('./sql/physical-events.sql', import.meta.url),
  params: noParams,
  row: z.object({ rows: z.coerce.number() }),
});

/** C10: the engine remembers a limited number of deduplication tokens; an old batch comes again when its own is forgotten. */
export const beyondTheWindow: FaultCheck = {
  id: 'C10',
  title: 'more blocks than the deduplication window, then an old batch again',
  guarantee: 'no usage event is counted or billed twice, and the ledger stays as it was',
  async run({ dir, size, progress, deadline }) {
    // The full form fills the window that the tables have; the short form makes it small.
    const window = size === 'full' ? 10_000 : 20;
    const baseMs = Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000;
    // Every fifth request holds usage events: a batch of one request is one block.
    const events = (index: number): Request => buildRequest(index * 5 + 3, 'isp-a', baseMs);
    const pipeline = await openPipeline({ dir, maxRecords: 1 });
    const wrong: string[] = [];
    try {
      if (size === 'short')
        for (const table of ['usage_events', 'touched'])
          await pipeline.store.execute(
            `ALTER TABLE ${table} MODIFY SETTING non_replicated_deduplication_window = ${window}, replicated_deduplication_window = ${window}`,
          );
      const requests = Array.from({ length: window + 50 }, (_, index) => events(index));
      for (let at = 0; at < requests.length; at += 500) {
        if (Date.now() > deadline) return { passed: false, unfinished: true, figure: `${at} blocks` };
        await pipeline.append(requests.slice(at, at + 500));
        await pipeline.drain();
        if (size === 'full') progress(`${at + 500} blocks`);
      }
      // A merge in between would drop the repeated rows before they are counted.
      await pipeline.store.execute('SYSTEM STOP MERGES usage_events');
      const before = await rows();
      const ledgerBefore = await ledger();
      const records = [];
      for await (const record of pipeline.log.read('telemetry', await partition(), 0, 1)) records.push(record);
      const number = await partition();
      const token = `${pipeline.log.epoch()}-telemetry-${number}-0-0`;
      const old = { topic: 'telemetry' as const, partition: number, epoch: pipeline.log.epoch(), first: 0, last: 0 };
      // Under its first token: what comes again by itself has one of its own, and the window would not matter.
      await pipeline.consumer.handle(
        { ...old, token, redelivered: true, records },
        { insertToken: token, ledgerLost: false },
      );
      const added = (await rows()) - before;
      // Without this the check would pass because the engine still knew the token.
      if (added === 0) wrong.push('the engine had not forgotten the old token: the window was not passed');
      const ledgerAfter = await ledger();
      if (ledgerAfter !== ledgerBefore) wrong.push(`the ledger was ${ledgerBefore} and became ${ledgerAfter}`);
      const { differences } = await judge(sentTotals(requests), () => readTotals(pipeline.store, tenantNames));
      return {
        passed: wrong.length === 0 && differences.length === 0,
        figure: `${requests.length} blocks over a window of ${window}, ${added} rows physically again, ${differences.length} of them counted`,
        details: [...wrong, ...differences].slice(0, 20),
      };
    } finally {
      await pipeline.stop();
    }

    /** Two days around now hold everything that is sent. */
    async function ledger(): Promise<string> {
      const hour = Math.floor(Date.now() / 3_600_000) * 3600;
      const kept = await readLedger(pipeline.store, { fromHour: hour - 86_400, toHour: hour + 86_400 });
      if (kept.length === 0) wrong.push('the ledger is empty');
      return JSON.stringify(kept);
    }
    async function rows(): Promise<number> {
      return (await pipeline.store.query(physicalRows, {}))[0]?.rows ?? Number.NaN;
    }
    async function partition(): Promise<number> {
      return (await pipeline.log.offsets('telemetry')).find(({ next }) => next > 0)?.partition ?? 0;
    }
  },
};
