import { sql } from 'kysely';
import { pino } from 'pino';
import { createControl, createLeases, fencedStore, type Lease } from 'streams/control';
import type { Store } from 'streams/store';

/**
 * A process that wants to lead and, while it does, writes to the control plane and to a store; started by `c36-stopped-leader.ts`. It goes on with its old lease when it is told to stop, until it was refused
 * on both ways: that it is told is a hint, what holds is the token.
 */
const [url = '', recorder = '', leaseMs = ''] = process.argv.slice(2);
const say = (event: string, token: bigint) => process.stdout.write(`${event} ${token}\n`);
const refusalsWanted = 3;

const control = createControl({ connection: { kind: 'postgres', url }, logger: pino({ level: 'silent' }) });
const post = async (path: string, body: unknown): Promise<number> => {
  const response = await fetch(`${recorder}${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`the recorder answered ${response.status}`);
  return Number(await response.text());
};
/** The store as far as the job of this process needs it: its statements run at the recorder, on a real engine. */
const remote = {
  execute: async (_sql: string, parameters: Readonly<Record<string, unknown>> = {}) =>
    void (await post('/write', parameters)),
} as unknown as Store;

async function attempt(kind: 'control' | 'store', lease: Lease, write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    say(`applied-${kind}`, lease.token);
    return true;
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    // A transaction that stood still was ended by the server: not applied, and not for the fence to say.
    if (code !== 'lease.lost' && !code.startsWith('control.')) throw error;
    say(code === 'lease.lost' ? `refused-${kind}` : `broken-${kind}`, lease.token);
    return code !== 'lease.lost';
  }
}

function work(lease: Lease) {
  say('leading', lease.token);
  const store = fencedStore(remote, lease);
  let isTold = false;
  const refused = { control: 0, store: 0 };
  const isDone = () => isTold && refused.control >= refusalsWanted && refused.store >= refusalsWanted;
  const run = async () => {
    for (let step = 0; !isDone() && !(isTold && isEnding); step++) {
      const next = await post('/position', {});
      const isApplied = await attempt('control', lease, () =>
        control.mutate(
          { id: 'system:c36', correlationId: 'c36' },
          { kind: 'global' },
          async (tx) => {
            await sql`SET LOCAL idle_in_transaction_session_timeout = ${sql.lit(Number(leaseMs))}`.execute(tx);
            // Every other time it can be stopped with the transaction open, after the fence was seen.
            if (step % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
            return {
              result: null,
              audit: { action: 'c36.write', resource: lease.token.toString(), tenantId: null },
            };
          },
          { fence: lease },
        ),
      );
      if (!isApplied) refused.control += 1;
      const isStored = await attempt('store', lease, () =>
        store.execute('complete', { next, token: lease.token.toString() }),
      );
      if (!isStored) refused.store += 1;
    }
  };
  const running = run().catch((error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  });
  return {
    async stop() {
      isTold = true;
      await running;
      say('ended', lease.token);
    },
  };
}

let isEnding = false;
await control.start();
const leases = createLeases({
  table: control.leaseTable({ leaseMs: Number(leaseMs) }),
  leaseMs: Number(leaseMs),
  logger: pino({ level: 'silent' }),
});
process.on('SIGTERM', async () => {
  isEnding = true;
  await leases.stop();
  await control.stop();
  process.exit(0);
});
leases.lead('c36', work);
