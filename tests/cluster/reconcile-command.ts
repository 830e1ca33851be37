import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs `pulse reconcile` against an API and answers its exit code. */
export function reconcileByCommand(output: 'inherit' | 'pipe') {
  return (url: string, token: string, period: string): number => {
    const { status } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, '../../bin/pulse.ts'), 'reconcile', '--period', period],
      { stdio: output, env: { PATH: process.env['PATH'], PULSE_URL: url, PULSE_TOKEN: token } },
    );
    return status ?? 3;
  };
}
