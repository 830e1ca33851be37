import { describe, expect, test } from 'vitest';
import { runSigkills } from './sigkill.ts';
import { readStored, sentTotals } from './sigkill-oracle.ts';

describe('after SIGKILLs under load (short form; 20 kills by npm run test:fault)', () => {
  test('every acknowledged record is stored exactly once, roll-ups included', { timeout: 180_000 }, async () => {
    const report = await runSigkills(4, Math.random);
    expect(await readStored(report.dataDir)).toEqual(sentTotals(report));
    expect(report.requests.length).toBeGreaterThan(20);
    expect(report.killsBetweenAppendAndAnswer).toBeGreaterThan(0);
  });
});
