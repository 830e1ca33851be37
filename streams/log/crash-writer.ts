/** Child process of the crash test: appends without pause and notes in a synced ledger what was acknowledged. Ends by being killed. */
import { fdatasyncSync, openSync, writeSync } from 'node:fs';
import { startedLog } from './test-disk.ts';

const [dir = '', ledgerPath = '', round = ''] = process.argv.slice(2);
const ledger = openSync(ledgerPath, 'a');
const log = await startedLog(dir, { segmentBytes: 20_000 });
process.stdout.write('ready\n');

async function writer(number: number): Promise<never> {
  for (let sequence = 0; ; sequence++) {
    const name = `${round}.${number}.${sequence}`;
    const payload = Buffer.alloc(100 + ((sequence * 977) % 9000), name);
    const [position] = await log.append('decisions', [{ key: name, headers: {}, payload }]);
    writeSync(ledger, `${position?.offset} ${name}\n`);
    fdatasyncSync(ledger);
  }
}
await Promise.all(Array.from({ length: 8 }, (_, number) => writer(number)));
