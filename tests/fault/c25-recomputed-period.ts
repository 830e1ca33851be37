import { rmSync } from 'node:fs';
import { pino } from 'pino';
import { type ReplayReport, runReplay } from 'streams/replay';
import type { Store } from 'streams/store';
import { type Bill, billedTenants, billingRebuilder, billOf, knownAtOf, meter } from './billing-side.ts';
import type { FaultCheck } from './check.ts';
import { openPipeline, type Pipeline } from './pipeline.ts';
import { buildRequest, type Request } from './sender.ts';

const hourMs = 3_600_000;

/** Bills of all tenants, by tenant and cut-off. */
type Bills = ReadonlyMap<string, Bill>;

/** C25: a period that is over is computed again from the raw log: beside the live tables, and after its facts, events and samples are gone. */
export const recomputedPeriod: FaultCheck = {
  id: 'C25',
  title: 'a closed period computed again from the raw log',
  guarantee: 'the same invoice and the same hash of its input at every cut-off that was once billed, to the byte',
  async run({ dir, size, progress, deadline }) {
    rmSync(dir, { recursive: true, force: true });
    const wrong: string[] = [];
    const rounds = size === 'full' ? 6 : 2;
    const perRound = size === 'full' ? 150 : 15;
    // The middle of the month before.
    const now = new Date();
    const baseMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 15, 6);
    const period = new Date(baseMs).toISOString().slice(0, 7);
    const startMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 14);
    const scope = { fromHour: startMs / 1000, toHour: startMs / 1000 + 3 * 86_400, tenant: null };
    const pipeline = await openPipeline({ dir, maxRecords: 7 });
    const { store, log } = pipeline;
    const maintenance = {
      ...pipeline.maintenance,
      rebuilders: [...pipeline.maintenance.rebuilders, billingRebuilder()],
    };
    try {
      const knownAts: string[] = [];
      const sent: Request[] = [];
      for (let round = 0; round < rounds && Date.now() < deadline; round += 1) {
        const requests = Array.from({ length: perRound }, (_, index) => {
          const id = round * perRound + index;
          const { id: tenant } = billedTenants[id % billedTenants.length] as { id: string };
          return buildRequest(id, tenant, baseMs + (id % 9) * hourMs);
        });
        // What was billed once comes again, and other records for the same hours come late.
        await pipeline.append([...requests, ...sent.slice(-5)]);
        sent.push(...requests);
        await pipeline.drain();
        await meter(pipeline);
        knownAts.push(await knownAtOf(store));
      }
      const bills = await billsOf(store, period, knownAts);
      const distinct = new Set([...bills.values()].map(({ inputHash }) => inputHash)).size;
      if (distinct !== bills.size) wrong.push(`only ${distinct} of ${bills.size} bills differ: nothing would be seen`);

      let beside: Bills = new Map();
      const request = { scope, knownAts: knownAts.map(toPositions), shadowName: 'replay_c25' };
      const deps = { store, log, maintenance, logger: pino({ level: 'silent' }) };
      const looked = await runReplay(
        {
          ...deps,
          async inspect(shadow) {
            beside = await billsOf(shadow, period, knownAts);
          },
        },
        { ...request, into: 'shadow' },
      );
      wrong.push(...differences('beside the live tables', bills, beside), ...unequal('beside', looked));
      progress(`${looked.records} records into a shadow in ${looked.seconds.toFixed(1)} s`);

      await wipe(pipeline, scope);
      const lost = differences('wiped', bills, await billsOf(store, period, knownAts));
      if (lost.length !== bills.size) wrong.push('wiping the period changed nothing: nothing was tried');
      const swapped = await runReplay(deps, { ...request, into: 'live' });
      wrong.push(...differences('swapped', bills, await billsOf(store, period, knownAts)));
      if (size === 'full')
        wrong.push(...unequal('after the swap', await runReplay(deps, { ...request, into: 'shadow' })));
      return {
        passed: wrong.length === 0,
        figure: `${bills.size} of ${bills.size} invoices at ${knownAts.length} cut-offs identical, ${swapped.records} records, replaced ${swapped.swapped.length} partitions in ${swapped.seconds.toFixed(1)} s, ${wrong.length} differences`,
        details: wrong.slice(0, 20),
      };
    } finally {
      await pipeline.stop();
    }
  },
};

const toPositions = (knownAt: string) =>
  knownAt.split(',').map((part) => {
    const [partition, next] = part.split(':');
    return { partition: Number(partition), next: Number(next) };
  });

async function billsOf(store: Store, period: string, knownAts: readonly string[]): Promise<Bills> {
  const bills = new Map<string, Bill>();
  for (const knownAt of knownAts)
    for (const tenant of billedTenants)
      bills.set(`${tenant.id} at ${knownAt}`, await billOf(store, tenant, period, knownAt));
  return bills;
}

function differences(when: string, wanted: Bills, found: Bills): string[] {
  return [...wanted].flatMap(([key, bill]) => {
    const other = found.get(key);
    if (other?.invoice === bill.invoice && other.inputHash === bill.inputHash) return [];
    return [
      `${when}: ${key}: ${bill.total} became ${other?.total} (input ${bill.inputHash.slice(0, 8)}, ${other?.inputHash.slice(0, 8)})`,
    ];
  });
}

function unequal(when: string, report: ReplayReport): string[] {
  const days = [...report.days, ...report.knownAts.flatMap((one) => one.days)];
  return days
    .filter(({ isEqual }) => !isEqual)
    .map(({ table, day, live, rebuilt }) => `${when}: ${table} of ${day}: ${live} rows live, ${rebuilt} rebuilt`);
}

/** Takes from the live tables what the bills are computed from. */
async function wipe({ store }: Pipeline, scope: { fromHour: number; toHour: number }): Promise<void> {
  for (const [table, time] of [
    ['billing_facts', 'bucket'],
    ['usage_events', 'time'],
    ['samples', 'time'],
  ]) {
    const where = `toUnixTimestamp(toStartOfHour(${time})) >= ${scope.fromHour} AND toUnixTimestamp(toStartOfHour(${time})) < ${scope.toHour}`;
    await store.execute(`ALTER TABLE ${table} DELETE WHERE ${where} SETTINGS mutations_sync = 1`);
  }
}
