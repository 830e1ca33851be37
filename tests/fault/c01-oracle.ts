import { join } from 'node:path';
import { runLedgerSelfTest } from 'billing-rater/ledger';
import type { Store } from 'streams/store';
import type { FaultCheck } from './check.ts';
import { judge, type OracleVerdict, readTotals, sentTotals } from './oracle.ts';
import { openPipeline, tenantNames } from './pipeline.ts';
import { buildRequest } from './sender.ts';

/** Each way to spoil what is stored, and what the oracle has to say of it. */
const spoilings: readonly {
  readonly name: string;
  readonly expected: OracleVerdict;
  spoil(store: Store): Promise<void>;
}[] = [
  {
    name: 'one row dropped',
    expected: 'MISMATCH',
    spoil: (store) =>
      store.execute(
        'ALTER TABLE samples DELETE WHERE (series, time) = (SELECT series, min(time) FROM samples GROUP BY series ORDER BY series LIMIT 1) SETTINGS mutations_sync = 2',
      ),
  },
  {
    name: 'one row doubled',
    expected: 'MISMATCH',
    // Under its own identity it would be the same row; a doubled bill is a row under another one.
    spoil: (store) =>
      store.execute(
        "INSERT INTO usage_events SELECT * REPLACE (concat(id, '-again') AS id) FROM usage_events FINAL ORDER BY id LIMIT 1",
      ),
  },
  {
    name: 'the read broken',
    expected: 'CHECK_ERROR',
    spoil: (store) => store.execute('RENAME TABLE samples TO samples_away'),
  },
];

/** The conservation ledger is an oracle too: each of its hand-overs, produced to invoiced, is spoiled in a shadow copy. */
async function testLedger(dir: string): Promise<{ right: number; all: number; wrong: string[] }> {
  const pipeline = await openPipeline({ dir });
  try {
    const { checks } = await runLedgerSelfTest(pipeline.store.inDatabase('ledger_self_test'));
    const wrong = checks.filter(({ expected, verdict }) => expected !== verdict);
    return {
      right: checks.length - wrong.length,
      all: checks.length,
      wrong: wrong.map((one) => `${one.from} to ${one.to}, ${one.spoiling}: ${one.verdict} instead of ${one.expected}`),
    };
  } finally {
    await pipeline.stop();
  }
}

/** C01: the oracle that every other check trusts must notice one row too few, one too many, and a reading that fails. */
export const oracleSelfTest: FaultCheck = {
  id: 'C01',
  title: 'the oracle itself',
  guarantee: 'a dropped row is a mismatch, a doubled row is a mismatch, a broken read is an error and not a zero',
  async run({ dir }) {
    const baseMs = Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000;
    const requests = Array.from({ length: 5 }, (_, id) => buildRequest(id, 'isp-a', baseMs));
    const source = sentTotals(requests);
    const verdicts: string[] = [];
    const wrong: string[] = [];
    for (const [index, { name, expected, spoil }] of spoilings.entries()) {
      const pipeline = await openPipeline({ dir: join(dir, `${index}`) });
      const { store } = pipeline;
      try {
        await pipeline.append(requests);
        await pipeline.drain();
        const sound = await judge(source, () => readTotals(store, tenantNames));
        if (sound.verdict !== 'MATCH') wrong.push(`before: ${sound.verdict}`, ...sound.differences);
        await spoil(store);
        const { verdict } = await judge(source, () => readTotals(store, tenantNames));
        verdicts.push(verdict);
        if (verdict !== expected) wrong.push(`${name}: ${verdict} instead of ${expected}`);
      } finally {
        await pipeline.stop();
      }
    }
    const ledger = await testLedger(join(dir, 'ledger'));
    wrong.push(...ledger.wrong);
    return {
      passed: wrong.length === 0,
      figure: `${verdicts.join(', ')}: ${verdicts.filter((verdict, index) => verdict === spoilings[index]?.expected).length}/3; ledger ${ledger.right}/${ledger.all}`,
      details: wrong,
    };
  },
};
