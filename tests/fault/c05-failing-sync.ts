import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PulseProcess, startPulse, until } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import type { DiskFaultPlan } from './disk-fault.ts';
import { createDoorClient, type DoorClientState, firstClientState } from './door-client.ts';
import { judge, readStored, sentTotals } from './oracle.ts';
import { settled } from './settled.ts';

interface Progress {
  readonly done: number;
  readonly client: DoorClientState;
  readonly wrong: readonly string[];
}

/** Long enough that no repair of the log gets by. */
const forever = 1_000_000;

/** C05: the Nth sync of a log segment fails with EIO, and so does every later one until the disk is well again. */
export const failingSync: FaultCheck = {
  id: 'C05',
  title: 'EIO on the Nth sync of the log',
  guarantee:
    'nothing is acknowledged from there on, senders are told 503 with Retry-After, and it goes on by itself when the disk is well again, with nothing lost',
  async run(context) {
    const numbers = context.size === 'full' ? Array.from({ length: 20 }, (_, index) => index + 1) : [1, 3];
    const planFile = join(context.dir, 'plan.json');
    const dataDir = join(context.dir, 'data');
    const environment = {
      NODE_OPTIONS: `--import=${join(import.meta.dirname, 'disk-fault.ts')}`,
      PULSE_FAULT_PLAN: planFile,
      PULSE_LOG_LEVEL: 'fatal',
    };
    writeFileSync(planFile, '{}');
    const pulse = await startPulse({ dataDir, environment });
    let progress = context.resumed as Progress | null;
    progress ??= { done: 0, client: await firstClientState(pulse), wrong: [] };
    const client = createDoorClient({ dir: context.dir, state: progress.client, pulse: () => pulse });
    const wrong: string[] = [...progress.wrong];
    try {
      for (const [index, nth] of numbers.entries()) {
        if (index < progress.done) continue;
        if (Date.now() > context.deadline) return { passed: false, unfinished: true, figure: `N up to ${index}` };
        const plan: DiskFaultPlan = {
          id: index + 1,
          operation: 'datasync',
          path: '.segment',
          nth,
          times: forever,
          code: 'EIO',
        };
        writeFileSync(planFile, JSON.stringify(plan));
        wrong.push(...(await whileFailing({ nth, client })));
        writeFileSync(planFile, '{}');
        // Nobody helps: the server repairs its log within seconds and takes everything again.
        await until(
          () => client.sendPending(),
          (left) => left === 0,
          20,
        );
        progress = { ...progress, done: index + 1, wrong };
        context.save(progress);
      }
      await settled(pulse);
      if (!existsSync(`${planFile}.failed`) || readFileSync(`${planFile}.failed`, 'utf8') === '')
        wrong.push('no sync failed at all');
    } finally {
      client.close();
      await endQuietly(pulse);
    }
    const { differences } = await judge(sentTotals(client.requests), () => readStored(dataDir));
    return {
      passed: wrong.length === 0 && differences.length === 0,
      figure: `${numbers.length} values of N up to ${numbers.at(-1)}, ${wrong.length} acknowledged too much, ${differences.length} totals lost or doubled, recovered by itself`,
      details: [...wrong, ...differences].slice(0, 20),
    };
  },
};

/** Sends until a sync has failed, then some more: each must be refused as retryable. */
async function whileFailing({
  nth,
  client,
}: {
  nth: number;
  client: ReturnType<typeof createDoorClient>;
}): Promise<string[]> {
  const wrong: string[] = [];
  let refused = 0;
  let sent = 0;
  while (refused < 3 && sent < nth + 10) {
    const { status, retryAfter } = await client.sendNew();
    sent += 1;
    if (status === 200 && refused > 0) wrong.push(`N=${nth}: request ${sent} was acknowledged after a refusal`);
    if (status === 200 && sent >= nth)
      wrong.push(`N=${nth}: request ${sent} was acknowledged although its sync failed`);
    if (status === 503) {
      refused += 1;
      if (retryAfter === null) wrong.push(`N=${nth}: 503 without Retry-After`);
    } else if (status !== 200) wrong.push(`N=${nth}: answered ${status}`);
  }
  if (refused < 3) wrong.push(`N=${nth}: only ${refused} refusals`);
  return wrong;
}

async function endQuietly(pulse: PulseProcess): Promise<void> {
  await pulse.stop().catch(() => null);
}
