/** Child of the kill test: commits as fast as it can and writes each acknowledged tenant to a flushed ledger. Arguments: data directory, ledger. */
import { fsyncSync, openSync, writeSync } from 'node:fs';
import { pino } from 'pino';
import { createControl } from './kysely-control.ts';
import { insertTenant, testActor } from './test-control.ts';

const [dir, ledger] = process.argv.slice(2);
if (dir === undefined || ledger === undefined) throw new Error('usage: kill-child DIR LEDGER');
const control = createControl({ connection: { kind: 'pglite', dir }, logger: pino({ level: 'silent' }) });
await control.start();
const descriptor = openSync(ledger, 'a');
for (let index = 0; ; index += 1) {
  const id = `t-${process.pid}-${index}`;
  await control.mutate(testActor, { kind: 'global' }, async (tx) => {
    await insertTenant(tx, id);
    return { result: null, audit: { action: 'tenant.create', resource: id, tenantId: id } };
  });
  writeSync(descriptor, `${id}\n`);
  fsyncSync(descriptor);
}
