import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const pulse = (...args: string[]) => {
  const env = { PATH: process.env['PATH'], PULSE_TOKEN: 'x', PULSE_URL: 'http://127.0.0.1:9' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'pulse.ts'), ...args], {
    encoding: 'utf8',
    env,
  });
  return { status, out: stdout.replaceAll(/\s+/g, ' '), err: stderr };
};

test("a command's help says what it does and what its exit codes mean", () => {
  const { status, out } = pulse('reconcile', '--help');
  expect(status).toBe(0);
  expect(out).toContain('compare what was produced, accepted, logged, stored, rolled up, rated and invoiced');
  expect(out).toContain('Exit codes: 0 fine, 1 the check failed, 2 wrong use or input, 3 a reading failed.');
});

test('a replay without its range, or into nowhere, is wrong use and names the option; no server is asked', () => {
  const none = pulse('replay', '--to', '2026-11-02');
  expect([none.status, none.err]).toEqual([2, expect.stringContaining('from:')]);
  const nowhere = pulse('replay', '--from', '2026-11-01', '--to', '2026-11-02', '--into', 'nowhere');
  expect([nowhere.status, nowhere.err]).toEqual([2, expect.stringContaining('into:')]);
});
