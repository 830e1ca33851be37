import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { restoreBackup, takeBackup, verifyBackup } from 'streams/backup';
import { createControl, verifyAudit } from 'streams/control';
import { copyEmptyControl } from 'streams/control/test-cluster';
import { systemClock } from 'streams/runtime';
import { readLedger } from 'streams/store';
import { type Bill, billedTenants, billOf, knownAtOf, meter } from './billing-side.ts';
import type { FaultCheck } from './check.ts';
import { judge, readTotals, sentTotals } from './oracle.ts';
import { openPipeline, type Pipeline, tenantNames } from './pipeline.ts';
import { buildRequest, type Request } from './sender.ts';

const minutesMax = 30;
const actor = { id: 'operator', correlationId: 'c26' };

/** C26: the machine is gone; what is left is a backup that was taken under load, and the log. */
export const wipedMachine: FaultCheck = {
  id: 'C26',
  title: 'machine wiped; backup and surviving log restored',
  guarantee: 'every acknowledged record is there once, with the same totals and invoices, within 30 minutes',
  async run({ dir, size, progress }) {
    rmSync(dir, { recursive: true, force: true });
    const dataDir = join(dir, 'data');
    const count = size === 'full' ? 1500 : 45;
    const baseMs = Math.floor((Date.now() - 8 * 3_600_000) / 3_600_000) * 3_600_000;
    const requests = Array.from({ length: count }, (_, id) => {
      const { id: tenant } = billedTenants[id % billedTenants.length] as { id: string };
      return buildRequest(id, tenant, baseMs);
    });
    const wrong: string[] = [];
    await copyEmptyControl(join(dataDir, 'control'));
    const before = await runUntilWipe(dir, dataDir, requests, size === 'full', wrong);
    progress(`backup of ${before.bytes} bytes, tables held for ${(before.heldSeconds * 1000).toFixed(0)} ms`);

    // All that is left: the backup, and the log on a disk of its own.
    renameSync(join(dataDir, 'log'), join(dir, 'survived'));
    rmSync(dataDir, { recursive: true, force: true });
    const began = performance.now();
    const restored = await restoreBackup({
      from: before.directory,
      dataDir,
      log: join(dir, 'survived'),
      prepareControl: copyEmptyControl,
    });
    const pipeline = await openPipeline({ dir: dataDir });
    await pipeline.drain();
    await meter(pipeline);
    const seconds = (performance.now() - began) / 1000;
    try {
      const { differences } = await judge(sentTotals(requests), () => readTotals(pipeline.store, tenantNames));
      wrong.push(...differences, ...(await unbalanced(pipeline)));
      const after = await billsOf(pipeline, before.period);
      if (after.knownAt !== before.bills.knownAt)
        wrong.push(`known at ${after.knownAt} instead of ${before.bills.knownAt}`);
      for (const [tenant, bill] of before.bills.bills) {
        const found = after.bills.get(tenant);
        if (found?.inputHash !== bill.inputHash || found.total !== bill.total)
          wrong.push(`${tenant}: the invoice was ${bill.total}, it is ${found?.total}`);
      }
      if ((restored.recordsToTake ?? 0) === 0) wrong.push('nothing came after the backup: nothing was tried');
    } finally {
      await pipeline.stop();
    }
    wrong.push(...(await checkControl(dataDir)));
    if (seconds > minutesMax * 60) wrong.push(`restored in ${seconds} s`);
    return {
      passed: wrong.length === 0,
      figure: `RPO 0 of ${count} acknowledged requests, RTO ${seconds.toFixed(1)} s, ${restored.recordsToTake} records taken again, ${wrong.length} differences`,
      details: wrong.slice(0, 20),
    };
  },
};

interface Bills {
  readonly knownAt: string;
  readonly bills: ReadonlyMap<string, Bill>;
}

async function billsOf(pipeline: Pipeline, period: string): Promise<Bills> {
  const knownAt = await knownAtOf(pipeline.store);
  const bills = new Map<string, Bill>();
  for (const tenant of billedTenants) bills.set(tenant.id, await billOf(pipeline.store, tenant, period, knownAt));
  return { knownAt, bills };
}

/** A server's inside at work: a third is stored, the backup is taken while the second third arrives, the rest comes after it. */
async function runUntilWipe(
  dir: string,
  dataDir: string,
  requests: readonly Request[],
  isVerified: boolean,
  wrong: string[],
) {
  const pipeline = await openPipeline({ dir: dataDir });
  const control = createControl({
    connection: { kind: 'pglite', dir: join(dataDir, 'control') },
    logger: pino({ level: 'silent' }),
  });
  await control.start();
  const third = Math.floor(requests.length / 3);
  try {
    await control.mutate(actor, { kind: 'global' }, async (tx) => {
      await tx.insertInto('partners').values({ id: 'partner-a', name: 'A', tier: 'gold' }).execute();
      return { result: null, audit: { action: 'partner.create', resource: 'partner-a', tenantId: null } };
    });
    await pipeline.append(requests.slice(0, third));
    await pipeline.drain();
    await meter(pipeline);
    const { store, log } = pipeline;
    const { gate } = pipeline.maintenance;
    const deps = { store, log, control, gate, clock: systemClock, dataDir, product: 'test' };
    mkdirSync(join(dir, 'backups'), { recursive: true });
    const arriving = pipeline.append(requests.slice(third, 2 * third));
    const taken = await takeBackup(deps, join(dir, 'backups'), 'under-load');
    await arriving;
    if (isVerified) {
      await verifyBackup({ backup: taken.directory, scratch: join(dir, 'scratch') });
    }
    await pipeline.append(requests.slice(2 * third));
    await pipeline.drain();
    await meter(pipeline);
    const { differences } = await judge(sentTotals(requests), () => readTotals(store, tenantNames));
    wrong.push(...differences.map((line) => `before: ${line}`));
    const period = new Date().toISOString().slice(0, 7);
    return { ...taken, period, bills: await billsOf(pipeline, period) };
  } finally {
    await pipeline.stop();
    await control.stop();
  }
}

async function unbalanced({ store }: Pipeline): Promise<string[]> {
  const day = Math.floor(Date.now() / 86_400_000) * 86_400;
  return (await readLedger(store, { fromHour: day - 86_400, toHour: day + 2 * 86_400 })).flatMap((row) =>
    row.accepted === row.logged && row.logged - row.duplicates === row.stored && row.duplicates === 0
      ? []
      : [
          `ledger ${row.signal} ${row.hour}: accepted ${row.accepted}, logged ${row.logged}, duplicates ${row.duplicates}, stored ${row.stored}`,
        ],
  );
}

async function checkControl(dataDir: string): Promise<string[]> {
  if (!existsSync(join(dataDir, 'control'))) return ['no control plane was restored'];
  const control = createControl({
    connection: { kind: 'pglite', dir: join(dataDir, 'control') },
    logger: pino({ level: 'silent' }),
  });
  await control.start();
  try {
    const audit = await verifyAudit(control);
    const partners = await control.read({ kind: 'global' }, (tx) => tx.selectFrom('partners').select('id').execute());
    const wrong = partners.map(({ id }) => id).join() === 'partner-a' ? [] : ['the partner is not there'];
    return audit.ok && audit.records > 0 ? wrong : [...wrong, 'the audit chain is broken'];
  } finally {
    await control.stop();
  }
}
