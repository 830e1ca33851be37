import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A chdb engine in a process of its own, so that its caches and merges disturb nobody and it can be thrown away after a round. */
export interface BenchEngine {
  /** Runs statements in order; answers the last one's rows and the milliseconds of each. */
  run(statements: readonly string[]): Promise<{ rows: Record<string, string>[]; ms: number[] }>;
  stop(): Promise<void>;
}

export async function startEngine(dir: string): Promise<BenchEngine> {
  const child = spawn(process.execPath, [new URL('./engine-process.ts', import.meta.url).pathname, dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    async run(statements) {
      child.stdin.write(`${JSON.stringify(statements)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error('the reference engine ended');
      const answer = JSON.parse(value) as { error?: string; rows: Record<string, string>[]; ms: number[] };
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer;
    },
    async stop() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
