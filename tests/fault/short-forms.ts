import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FaultCheck } from './check.ts';
import { checks } from './checks.ts';
import { runCheck } from './run-check.ts';

/** The short forms that need only Node run in files of their own, side by side: what is lost, what is counted, who is at the door. A part begins with the check named here. */
export const partBegins = ['C01', 'C08', 'C41'] as const;

/** Declares the short forms of one part, in the order of their numbers. */
export function testPart(part: 0 | 1 | 2): void {
  const [from, to = 'C99'] = partBegins.slice(part);
  describe(`what must hold under fault and attack, from ${from} (short forms; full forms by npm run test:fault)`, () =>
    testShortForms(
      checks
        .filter(({ id, needs }) => needs === undefined && from !== undefined && id >= from && id < to)
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    ));
}

/** Declares a test for the short form of each check, named by its number and what must hold. *Units* seconds that one may take. */
export function testShortForms(checks: readonly FaultCheck[], secondsMax = 100): void {
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
