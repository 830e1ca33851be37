import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readLedger } from '../fault/sender.ts';
import { compileCache } from '../pulse-process.ts';
import type { KafkaCheck } from './check.ts';
import { baseOfRun, kafkaRequest, openKafkaPipeline } from './pipeline.ts';

/** Where the consumer dies: planned and nothing inserted; a table inserted and not the others; all inserted and not committed; committed. */
const points = ['W1', 'W2', 'W3', 'AFTER'] as const;
export type CrashPoint = (typeof points)[number];

export const crashPoints: KafkaCheck = {
  name: 'consumer killed at W1, W2, W3, AFTER',
  async run({ dir, broker, prefix, size }) {
    const rounds = (size === 'full' ? 12 : 1) * points.length;
    const ledger = join(dir, 'ledger');
    const baseMs = baseOfRun();
    const wrong: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const point = points[round % points.length] ?? 'W1';
      const ended = await runChild([join(dir, 'data'), ledger, point, String(baseMs), broker.address, prefix]);
      if (ended !== 'SIGKILL')
        wrong.push(`round ${round} at ${point}: ended with ${ended} instead of at its crash point`);
    }
    const { acknowledged } = existsSync(ledger) ? readLedger(ledger) : { acknowledged: new Set<number>() };
    const pipeline = await openKafkaPipeline({ dir: join(dir, 'data'), brokers: [broker.address], prefix });
    await pipeline.join();
    await pipeline.settle();
    const differences = await pipeline.differences([...acknowledged].map((id) => kafkaRequest(id, baseMs)));
    await pipeline.stop();
    return {
      figure: `${rounds} kills, ${acknowledged.size} requests, ${differences.length} totals lost or doubled`,
      problems: [...wrong, ...differences],
    };
  },
};

/** Answers the signal that ended it, or its exit code with what it wrote. */
function runChild(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'consumer-process.ts'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '12', NODE_COMPILE_CACHE: compileCache },
  });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  const timer = setTimeout(() => child.kill('SIGTERM'), 90_000);
  return new Promise((resolve) =>
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve(signal ?? `code ${code} ${text.slice(-400)}`);
    }),
  );
}
