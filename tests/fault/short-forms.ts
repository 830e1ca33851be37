import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FaultCheck } from './check.ts';
import { runCheck } from './run-check.ts';

const secondsMax = 100;

/** Declares a test for the short form of each check, named by its number and what must hold. */
export function testShortForms(checks: readonly FaultCheck[]): void {
  for (const check of checks) {
    test(`${check.id} ${check.title}: ${check.guarantee}`, { timeout: (secondsMax + 20) * 1000 }, async () => {
      const home = mkdtempSync(join(tmpdir(), `pulse-${check.id.toLowerCase()}-`));
      const lines: string[] = [];
      const result = await runCheck(check, {
        size: 'short',
        home,
        deadline: Date.now() + secondsMax * 1000,
        progress: (line) => lines.push(line),
      });
      const { verdict, figure, details } = result;
      expect({ verdict, figure, details, lines: verdict === 'held' ? [] : lines }).toMatchObject({
        verdict: 'held',
        details: [],
      });
      rmSync(home, { recursive: true, force: true });
    });
  }
}
