import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackupList, BackupRun, NewReplay, ReplayRun } from 'streams/contract';
import type { ApiClient } from './api-client.ts';
import type { CommandResult } from './commands.ts';
import { orDash, renderTable } from './table.ts';

const pollMs = 300;
const figure = (value: number) => value.toLocaleString('en-US');

/** A line on the terminal that is written over; nothing where nobody watches. */
function liveLine(stream: NodeJS.WriteStream = process.stderr) {
  return {
    show(text: string) {
      if (stream.isTTY) stream.write(`\r\u001b[K${text}`);
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001b[K');
    },
  };
}

/** `pulse replay`: starts a replay, shows its progress, and then what it compared. Ends with 1 when tables differ (and were not swapped), or when it ended early. */
export async function replay(
  api: ApiClient,
  options: { from?: string; to?: string; tenant?: string; into?: string; knownAt?: string[]; wait?: boolean },
): Promise<CommandResult> {
  const { wait = true, ...request } = options;
  let run = await api.post('/api/v1/replays', NewReplay.parse(request), ReplayRun);
  const line = liveLine();
  while (wait && run.state === 'running') {
    const { phase, batches, batchesDone, records } = run.progress;
    line.show(`${run.id}  ${phase}  batch ${figure(batchesDone)} of ${figure(batches)}, ${figure(records)} records`);
    await sleep(pollMs);
    run = await api.get(`/api/v1/replays/${run.id}`, ReplayRun);
  }
  line.end();
  return describeReplay(run);
}

/** `pulse replay show ID` and the end of `pulse replay`. */
export function describeReplay(run: ReplayRun): CommandResult {
  const { report } = run;
  if (report === null) {
    const why = run.error === null ? '' : `: ${run.error.detail} [${run.error.code}]`;
    return { json: run, text: `${run.id} ${run.state}${why}`, exitCode: run.state === 'running' ? 0 : 1 };
  }
  const names = [...new Set(report.days.map(({ table }) => table))];
  const rows = names.map((table) => {
    const days = report.days.filter((day) => day.table === table);
    const sum = (of: 'live' | 'rebuilt') => days.reduce((total, day) => total + day[of], 0);
    const difference = report.differences.find((one) => one.table === table);
    return {
      table,
      days: days.length,
      live: sum('live'),
      rebuilt: sum('rebuilt'),
      differing: days.filter(({ isEqual }) => !isEqual).length,
      onlyLive: difference?.onlyLive ?? null,
      onlyRebuilt: difference?.onlyRebuilt ?? null,
      swapped: report.swapped.filter((name) => name === table || name.startsWith(`${table}/`)).length,
    };
  });
  const table = renderTable(
    [
      { title: 'table', value: (row) => row.table },
      { title: 'days', right: true, value: (row) => figure(row.days) },
      { title: 'live rows', right: true, value: (row) => figure(row.live) },
      { title: 'rebuilt', right: true, value: (row) => figure(row.rebuilt) },
      { title: 'days differing', right: true, value: (row) => figure(row.differing) },
      { title: 'only live', right: true, value: (row) => orDash(row.onlyLive, figure) },
      { title: 'only rebuilt', right: true, value: (row) => orDash(row.onlyRebuilt, figure) },
      { title: 'replaced', right: true, value: (row) => figure(row.swapped) },
    ],
    rows,
  );
  const swapped = report.swapped.length > 0;
  const verdict = report.isIdentical
    ? 'identical to the byte'
    : swapped
      ? `DIFFERED; replaced: ${report.swapped.join(', ')}`
      : 'DIFFERENT; --into live replaces what differs';
  const known = report.knownAts.map(
    ({ knownAt, days }) =>
      `facts as known at ${knownAt}: ${days.every(({ isEqual }) => isEqual) ? 'identical' : 'DIFFERENT'}`,
  );
  const text = [
    table,
    ...known,
    ...(report.missingSeries > 0 ? [`${figure(report.missingSeries)} series had no description`] : []),
    `${verdict} (${figure(report.records)} records of ${figure(report.batches)} batches, known at ${report.knownAt}, ${report.seconds.toFixed(1)} s, tables held for ${report.heldSeconds.toFixed(1)} s)`,
  ].join('\n');
  return { json: run, text, exitCode: report.isIdentical || swapped ? 0 : 1 };
}

/** `pulse replay show ID`. */
export async function showReplay(api: ApiClient, id: string): Promise<CommandResult> {
  return describeReplay(await api.get(`/api/v1/replays/${encodeURIComponent(id)}`, ReplayRun));
}

/** `pulse replay cancel ID`: the live tables stay as they are. */
export async function cancelReplay(api: ApiClient, id: string): Promise<CommandResult> {
  const run = await api.post(`/api/v1/replays/${encodeURIComponent(id)}/cancel`, {}, ReplayRun);
  return { json: run, text: `${run.id} ${run.state}`, exitCode: 0 };
}

/** `pulse backup`: takes one, waits for its trial restore, and says where it is. Ends with 1 when it failed. */
export async function backup(api: ApiClient, options: { directory?: string; wait?: boolean }): Promise<CommandResult> {
  const { wait = true, directory } = options;
  let run = await api.post(
    '/api/v1/backups',
    directory === undefined ? {} : { directory: resolve(directory) },
    BackupRun,
  );
  const line = liveLine();
  while (wait && run.state === 'running') {
    line.show(`${run.id}  ${run.bytes === null ? 'copying and trying a restore' : 'trying a restore'}`);
    await sleep(pollMs);
    run = await api.get(`/api/v1/backups/${run.id}`, BackupRun);
  }
  line.end();
  return { json: run, text: describeBackup(run), exitCode: run.state === 'done' || run.state === 'running' ? 0 : 1 };
}

function describeBackup(run: BackupRun): string {
  if (run.error !== null) return `${run.id} ${run.state}: ${run.error.detail} [${run.error.code}]`;
  if (run.state === 'running') return `${run.id} is running`;
  const held = run.heldSeconds === null ? '' : `, tables held for ${run.heldSeconds.toFixed(2)} s`;
  return `${run.directory}\n${figure(run.bytes ?? 0)} bytes, known at ${run.knownAt}${held}; ${run.verifiedAt === null ? 'NOT verified' : `verified by a trial restore at ${run.verifiedAt}`}`;
}

/** `pulse backup list`. */
export async function listBackups(api: ApiClient): Promise<CommandResult> {
  const { items, lastVerifiedBackup } = await api.get('/api/v1/backups?limit=50', BackupList);
  const table = renderTable(
    [
      { title: 'id', value: (row) => row.id },
      { title: 'begun', value: (row) => row.startedAt },
      { title: 'state', value: (row) => row.state },
      { title: 'bytes', right: true, value: (row) => orDash(row.bytes, figure) },
      { title: 'verified', value: (row) => orDash(row.verifiedAt) },
      { title: 'directory', value: (row) => row.directory },
    ],
    items,
  );
  return {
    json: { items, lastVerifiedBackup },
    text: items.length === 0 ? 'no backups yet: pulse backup DIR' : table,
    exitCode: 0,
  };
}
