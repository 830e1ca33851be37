import { setTimeout as sleep } from 'node:timers/promises';
import { processNames, startCluster } from './cluster.ts';
import { compare, nothingPending, startLoad } from './load.ts';

/** One run of the cluster: a known load for `seconds` while each process is killed once, then every count against the source. True when all agree. */
export async function runClusterDemo(options: {
  readonly dir: string;
  readonly seconds: number;
  readonly say: (line: string) => void;
  /** Runs `pulse reconcile` against the API and answers its exit code. */
  readonly reconcile: (url: string, token: string, period: string) => number;
}): Promise<boolean> {
  const { say, seconds } = options;
  const cluster = await startCluster({ dir: options.dir, log: say });
  try {
    const load = await startLoad(cluster, { pauseMs: 20 });
    const killed: string[] = [];
    const gap = (seconds * 1000) / (processNames.length + 2);
    for (const name of processNames) {
      await sleep(gap);
      await cluster.killProcess(name, 500);
      killed.push(name);
      say(`SIGKILL ${name}: back and ready; ${load.acknowledged.length} requests acknowledged`);
    }
    await sleep(gap);
    await cluster.killBroker(2000);
    killed.push('broker');
    say(`SIGKILL of the broker: back and ready; ${load.acknowledged.length} requests acknowledged`);
    await sleep(gap);
    await load.stop();
    say(
      `${load.acknowledged.length} requests acknowledged, ${load.sentAgain()} of them not by the first pass over the doors`,
    );
    const differences = await compare(cluster, load);
    for (const line of differences) say(line);
    await nothingPending(cluster, load.period);
    const code = options.reconcile(cluster.process('streams-2').http, cluster.token, load.period);
    say(`pulse reconcile ended with ${code}; killed once each: ${killed.join(', ')}`);
    return code === 0 && differences.length === 0;
  } finally {
    await cluster.stop();
  }
}
