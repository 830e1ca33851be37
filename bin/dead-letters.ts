import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeadLetter, pageOf } from 'streams/contract';
import { z } from 'zod';
import type { ApiClient } from './api-client.ts';
import type { CommandResult } from './commands.ts';
import { orDash, renderTable } from './table.ts';

const Listed = pageOf(
  z.looseObject({
    tenant: z.string().nullable(),
    at: z.string(),
    topic: z.string(),
    partition: z.number(),
    offset: z.string(),
    code: z.string(),
    detail: z.string(),
    payloadBytes: z.number(),
  }),
);
const path = '/api/v1/telemetry/dead-letters';
/** A replay is decided as soon as the consumer has taken it, usually within a second. */
const waitMs = 15_000;

/** `pulse dead-letters list`: newest first, with the names that `show` and `replay` take. */
export async function listDeadLetters(
  api: ApiClient,
  filter: { tenant?: string; limit?: string },
): Promise<CommandResult> {
  const query = new URLSearchParams({
    limit: filter.limit ?? '50',
    ...(filter.tenant === undefined ? {} : { tenant: filter.tenant }),
  });
  const page = await api.get(`${path}?${query}`, Listed);
  const rows = page.items.map((row) => ({ id: `${row.topic}-${row.partition}-${row.offset}`, ...row }));
  const text = renderTable(
    [
      { title: 'id', value: (row) => row.id },
      { title: 'at', value: (row) => row.at },
      { title: 'tenant', value: (row) => orDash(row.tenant) },
      { title: 'code', value: (row) => row.code },
      { title: 'bytes', right: true, value: (row) => row.payloadBytes.toLocaleString('en-US') },
      { title: 'detail', value: (row) => (row.detail.length > 60 ? `${row.detail.slice(0, 59)}…` : row.detail) },
    ],
    rows,
  );
  const more = page.nextCursor === null ? '' : '\nthere are more: --limit shows up to 1000';
  return { json: rows, text: rows.length === 0 ? 'no dead letters' : `${text}${more}`, exitCode: 0 };
}

/** `pulse dead-letters show ID`: code, detail, envelope, and the bytes as a dump; with `--output FILE` the bytes go there. */
export async function showDeadLetter(api: ApiClient, id: string, options: { output?: string }): Promise<CommandResult> {
  const letter = await api.get(`${path}/${encodeURIComponent(id)}`, DeadLetter);
  const bytes = Buffer.from(letter.payload, 'base64');
  if (options.output !== undefined) writeFileSync(options.output, bytes);
  const text = [
    ...describe(letter),
    `envelope  ${letter.envelope}`,
    options.output === undefined
      ? `bytes     ${bytes.length}\n${hexDump(bytes)}`
      : `bytes     ${bytes.length}, written to ${options.output}`,
  ].join('\n');
  return { json: letter, text, exitCode: 0 };
}

/** `pulse dead-letters replay ID`: puts the record on the log again and waits for what becomes of it. Ends with 1 when it failed again. */
export async function replayDeadLetter(api: ApiClient, id: string): Promise<CommandResult> {
  const name = encodeURIComponent(id);
  let letter = await api.post(`${path}/${name}/replay`, {}, DeadLetter);
  const deadline = Date.now() + waitMs;
  while (letter.replay?.outcome === 'pending' && Date.now() < deadline) {
    await sleep(200);
    letter = await api.get(`${path}/${name}`, DeadLetter);
  }
  return { json: letter, text: describe(letter).join('\n'), exitCode: letter.replay?.outcome === 'failed' ? 1 : 0 };
}

function describe(letter: DeadLetter): string[] {
  const { replay } = letter;
  return [
    `letter    ${letter.id}`,
    `tenant    ${orDash(letter.tenant)}`,
    `at        ${letter.at}`,
    `code      ${letter.code}`,
    `detail    ${letter.detail}`,
    ...(letter.replayOf === null ? [] : [`replay of ${letter.replayOf}`]),
    replay === null
      ? 'replay    never'
      : `replay    ${replay.outcome}, ${replay.at} by ${replay.by}${replay.newLetter === null ? '' : `, now letter ${replay.newLetter}`}`,
  ];
}

/** Bytes of a dump on the screen; the rest is for `--output`. */
const dumpBytes = 2048;

/** 16 bytes a line: position, hexadecimal, printable characters. */
export function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, dumpBytes); at += 16) {
    const line = bytes.subarray(at, at + 16);
    const hex = [...line].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = [...line].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${text}`);
  }
  if (bytes.length > dumpBytes) lines.push(`… ${bytes.length - dumpBytes} more bytes: --output FILE writes all`);
  return lines.join('\n');
}
