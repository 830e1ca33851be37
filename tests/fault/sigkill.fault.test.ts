import { describe, expect, test } from 'vitest';
import { runSigkills } from './sigkill.ts';
import { readStored, sentTotals } from './sigkill-oracle.ts';

describe('after 20 SIGKILLs under load', () => {
  test('every acknowledged record is stored exactly once, roll-ups included, with at least 5 kills between append and answer', async () => {
    const report = await runSigkills(20, Math.random);
    const { kills, requests, resent, killsBetweenAppendAndAnswer } = report;
    process.stdout.write(
      `${JSON.stringify({ kills, requests: requests.length, resent, killsBetweenAppendAndAnswer })}\n`,
    );
    expect(await readStored(report.dataDir)).toEqual(sentTotals(report));
    expect(killsBetweenAppendAndAnswer).toBeGreaterThanOrEqual(5);
  });
});
