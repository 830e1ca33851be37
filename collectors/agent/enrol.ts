import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from 'streams/contract';
import { z } from 'zod';

/** The machine that Pulse itself runs on, as a tenant: measured, not simulated. */
export const THIS_MACHINE = { id: 'this-machine', name: 'This machine', tier: 'small', plan: 'professional' } as const;

const Kept = z.object({ tenantId: z.string(), apiKey: z.string() });

/**
 * The key of tenant `this-machine`: from `file`, or else the tenant (or a further key, when it exists already) is created through the API and the key kept, readable by its owner only.
 *
 * *Errors* `agent.enrol_refused` (the API said no), `agent.state_invalid` (the file is there and unreadable).
 */
export async function enrol(apiUrl: string, operatorToken: string, file: string): Promise<string> {
  const kept = await readKept(file);
  if (kept !== undefined) return kept;
  const created = await post(`${apiUrl}/api/v1/tenants`, operatorToken, THIS_MACHINE, [201, 409]);
  const body =
    created.status === 201
      ? created.body
      : (
          await post(
            `${apiUrl}/api/v1/tenants/${THIS_MACHINE.id}/api-keys`,
            operatorToken,
            { name: 'agent' },
            [200, 201],
          )
        ).body;
  const { apiKey } = z.object({ apiKey: z.string() }).parse(body);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(`${file}.next`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ tenantId: THIS_MACHINE.id, apiKey }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.next`, file);
  return apiKey;
}

async function readKept(file: string): Promise<string | undefined> {
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (content === undefined) return undefined;
  try {
    return Kept.parse(JSON.parse(content)).apiKey;
  } catch (cause) {
    throw new AppError('agent.state_invalid', `${file} is not the agent's key; move it away to get a new one`, {
      cause,
    });
  }
}

async function post(
  url: string,
  token: string,
  body: unknown,
  accepted: readonly number[],
): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  const received = await answer.text();
  if (!accepted.includes(answer.status)) {
    throw new AppError(
      'agent.enrol_refused',
      `${new URL(url).pathname} answered ${answer.status}: ${received.slice(0, 300)}`,
      {
        status: 502,
        retryable: answer.status >= 500 || answer.status === 429,
      },
    );
  }
  return { status: answer.status, body: JSON.parse(received) as unknown };
}
