import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPulse } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { createDoorClient, type DoorClient, type DoorClientState, firstClientState } from './door-client.ts';
import { judge, readStored, sentTotals } from './oracle.ts';
import { settled } from './settled.ts';

interface Progress {
  readonly done: number;
  readonly client: DoorClientState;
  readonly slowest: number;
  readonly wrong: readonly string[];
}

const senders = 6;
const drainSecondsMax = 30;

/** C47: SIGTERM while requests are in flight. */
export const terminated: FaultCheck = {
  id: 'C47',
  title: 'SIGTERM under load',
  guarantee:
    'the server answers what it has in hand and ends by itself within 30 s, answers nothing after it has closed, and has everything that it acknowledged',
  async run(context) {
    const rounds = context.size === 'full' ? 20 : 1;
    const dataDir = join(context.dir, 'data');
    let pulse = await startPulse({ dataDir });
    let progress = context.resumed as Progress | null;
    progress ??= { done: 0, client: await firstClientState(pulse), slowest: 0, wrong: [] };
    const client = createDoorClient({ dir: context.dir, state: progress.client, pulse: () => pulse });
    const wrong: string[] = [...progress.wrong];
    let slowest = progress.slowest;
    while (progress.done < rounds && Date.now() < context.deadline) {
      const closing = { closed: false };
      const load = Promise.all(Array.from({ length: senders }, () => sendUntilClosed(client, closing, wrong)));
      await sleep(200 + Math.random() * 300);
      const rest = Promise.withResolvers<void>();
      const inHand = client.sendNew(rest.promise);
      await sleep(100);
      const began = Date.now();
      const ending = pulse.stop();
      await sleep(20);
      rest.resolve();
      const { status } = await inHand;
      if (status !== 200 && status !== 503) wrong.push(`a request in hand was answered ${status}`);
      const code = await ending;
      closing.closed = true;
      const seconds = (Date.now() - began) / 1000;
      slowest = Math.max(slowest, seconds);
      await load;
      // Nobody may be left who acknowledges.
      if ((await client.sendNew()).status !== 0) wrong.push('answered after it had closed');
      if (code !== 0) wrong.push(`ended with ${code}`);
      if (seconds > drainSecondsMax) wrong.push(`took ${seconds} s`);
      progress = { ...progress, done: progress.done + 1, slowest, wrong };
      context.save(progress);
      pulse = await startPulse({ dataDir });
    }
    while ((await client.sendPending()) > 0);
    await settled(pulse);
    await pulse.stop();
    client.close();
    const { differences } = await judge(sentTotals(client.requests), () => readStored(dataDir));
    return {
      passed: wrong.length === 0 && differences.length === 0 && progress.done === rounds,
      unfinished: progress.done < rounds,
      figure: `${progress.done} times, slowest drain ${slowest.toFixed(1)} s, ${client.requests.length} requests, ${differences.length} totals lost or doubled`,
      details: [...wrong, ...differences].slice(0, 20),
    };
  },
};

/** Sends until the server refuses connections. An answer to a request that was begun after the process had ended would come from nowhere. */
async function sendUntilClosed(client: DoorClient, closing: { closed: boolean }, wrong: string[]): Promise<void> {
  for (;;) {
    const late = closing.closed;
    const { status } = await client.sendNew();
    if (status === 200 && late) wrong.push('acknowledged after it had closed');
    if (![200, 503, 0].includes(status)) wrong.push(`answered ${status} while it drained`);
    if (status === 0) return;
  }
}
