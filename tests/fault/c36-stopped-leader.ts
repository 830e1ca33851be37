import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { pino } from 'pino';
import { startByScript } from 'streams/control/test-postgres-server';
import { systemClock } from 'streams/runtime';
import { createChdbStore, defineQuery } from 'streams/store';
import { z } from 'zod';
import { compileCache, until } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';

const leaseMs = 1500;
const metering = join(import.meta.dirname, '../../billing-rater/metering/sql');

/** What a process said so far: how often each event, by token. */
interface Leader {
  readonly child: ChildProcess;
  count(event: string, token: bigint): number;
  newest(event: string): bigint;
}

function startLeader(url: string, recorder: string): Leader {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'leader-process.ts'), url, recorder, String(leaseMs)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE: compileCache },
    },
  );
  const counts = new Map<string, number>();
  const newest = new Map<string, bigint>();
  createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }).on('line', (line) => {
    counts.set(line, (counts.get(line) ?? 0) + 1);
    const [event = '', token = '0'] = line.split(' ');
    newest.set(event, BigInt(token));
  });
  return {
    child,
    count: (event, token) => counts.get(`${event} ${token}`) ?? 0,
    newest: (event) => newest.get(event) ?? 0n,
  };
}

/** The store side: a real engine with the statements of metering, behind HTTP because it serves one process. */
async function startRecorder(dir: string) {
  const store = createChdbStore({
    dir,
    memoryBytes: 400e6,
    connections: 2,
    logger: pino({ level: 'silent' }),
    clock: systemClock,
  });
  await store.start();
  const complete = readFileSync(join(metering, 'complete-positions.sql'), 'utf8');
  const completed = defineQuery({
    file: new URL(`file://${join(metering, 'completed-positions.sql')}`),
    params: z.object({}),
    row: z.object({ partition: z.number(), next: z.coerce.number(), at_ms: z.coerce.number() }),
  });
  const seen = { position: 0, greatestToken: 0n, slipped: 0, writes: 0, changed: [] as string[] };
  let visible = 0;
  let turn: Promise<void> = Promise.resolve();
  const write = async ({ next, token }: { next: number; token: string }) => {
    const isStale = BigInt(token) < seen.greatestToken;
    if (isStale) seen.slipped += 1;
    else seen.greatestToken = BigInt(token);
    seen.writes += 1;
    // Clocks of two machines: every other leader's is an hour ahead.
    const at = Date.now() + (BigInt(token) % 2n === 1n ? 3_600_000 : 0);
    await store.execute(complete, { positions: JSON.stringify([[0, next]]), at });
    const now = (await store.query(completed, {}))[0]?.next ?? 0;
    if (now < visible) seen.changed.push(`a write of token ${token} took the position from ${visible} back to ${now}`);
    visible = now;
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/position') {
        seen.position += 1;
        response.end(String(seen.position));
        return;
      }
      turn = turn
        .then(() => write(JSON.parse(Buffer.concat(chunks).toString('utf8'))))
        .then(
          () => void response.end('1'),
          (error) => void response.writeHead(500).end(String(error)),
        );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async stop() {
      await turn;
      server.closeAllConnections();
      server.close();
      await store.stop();
    },
  };
}

/** Writes in the order of their commits: how many carry an older token than one before them. */
async function staleCommits(url: string): Promise<{ writes: number; stale: number }> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ writes: string; stale: string }>(`
    SELECT count(*) AS writes, count(*) FILTER (WHERE token < greatest) AS stale FROM (
      SELECT resource::bigint AS token, max(resource::bigint) OVER (ORDER BY seq) AS greatest FROM audit_log WHERE action = 'c36.write') AS w`);
  await client.end();
  return { writes: Number(rows[0]?.writes), stale: Number(rows[0]?.stale) };
}

/** C36: a leader is stopped beyond its lease and goes on when another one leads. */
export const stoppedLeader: FaultCheck = {
  id: 'C36',
  title: 'SIGSTOP of a leader past its lease, then SIGCONT',
  guarantee: 'another process takes over, and of the first one no write is applied any more',
  needs: 'PostgreSQL, which the project installs: PGlite serves one process',
  async run(context) {
    const rounds = context.size === 'full' ? 60 : 4;
    const postgres = startByScript();
    const recorder = await startRecorder(join(context.dir, 'store'));
    const leaders = [startLeader(postgres.url.href, recorder.url), startLeader(postgres.url.href, recorder.url)];
    let refused = 0;
    let done = 0;
    try {
      while (done < rounds && Date.now() < context.deadline) {
        const leading = await until(
          async () => leaders.toSorted((a, b) => Number(b.newest('leading') - a.newest('leading')))[0],
          (one) => one !== undefined && one.count('applied-store', one.newest('leading')) >= 5,
        );
        const other = leaders.find((one) => one !== leading);
        if (leading === undefined || other === undefined) throw new Error('nobody leads');
        const token = leading.newest('leading');
        await sleep(Math.random() * 60);
        leading.child.kill('SIGSTOP');
        await until(
          async () => other.newest('leading'),
          (newer) =>
            newer > token && other.count('applied-control', newer) >= 3 && other.count('applied-store', newer) >= 3,
        );
        leading.child.kill('SIGCONT');
        await until(
          async () => leading.count('ended', token),
          (ended) => ended > 0,
        );
        refused += leading.count('refused-control', token) + leading.count('refused-store', token);
        done += 1;
        if (done % 10 === 0) context.progress(`${done} of ${rounds}`);
      }
      for (const { child } of leaders) {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      }
      const { writes, stale } = await staleCommits(postgres.url.href);
      const { seen } = recorder;
      const details = [
        ...(stale > 0 ? [`${stale} writes to the control plane came after a newer token`] : []),
        ...seen.changed,
        // Otherwise nothing was tried.
        ...(refused < done * 6 ? [`only ${refused} writes were refused in ${done} rounds`] : []),
        ...(writes < done * 4 || seen.writes < done * 4 ? ['too few writes to say anything'] : []),
      ];
      return {
        passed: details.length === 0 && done === rounds,
        unfinished: done < rounds,
        figure: `${done} stops, ${refused} stale writes refused, ${stale + seen.changed.length} applied of ${writes + seen.writes}; ${seen.slipped} reached the store and changed nothing`,
        details,
      };
    } finally {
      for (const { child } of leaders) child.kill('SIGKILL');
      await recorder.stop();
      await postgres.stop();
    }
  },
};
