import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from 'streams/contract';
import type { z } from 'zod';

/** How the command line reaches a running server. */
export interface ApiClient {
  readonly url: string;
  /** Reads and checks an answer. *Errors* `cli.unreachable`, `cli.refused` (with the server's code), `cli.answer_invalid`. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  post<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T>;
  patch<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T>;
}

/** The operator token: `PULSE_TOKEN`, or the file that the server wrote into its data directory. */
function readToken(environment: NodeJS.ProcessEnv): string {
  const given = environment['PULSE_TOKEN'];
  if (given !== undefined && given !== '') return given;
  const file = join(environment['PULSE_DATA_DIR'] ?? './data', 'operator.token');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new AppError(
      'cli.no_token',
      `no token: ${file} cannot be read; run this where the server runs, or set PULSE_DATA_DIR or PULSE_TOKEN`,
      { cause },
    );
  }
}

export function createApiClient(environment: NodeJS.ProcessEnv): ApiClient {
  const url = (environment['PULSE_URL'] ?? 'http://127.0.0.1:8000').replace(/\/+$/, '');
  const call = async <T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> => {
    const token = readToken(environment);
    const response = await send(url, path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw refusal(response.status, text, path);
    return check(text, schema, path);
  };
  return {
    url,
    get: (path, schema) => call('GET', path, schema),
    post: (path, body, schema) => call('POST', path, schema, body),
    patch: (path, body, schema) => call('PATCH', path, schema, body),
  };
}

async function send(url: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(60_000) });
  } catch (cause) {
    throw new AppError(
      'cli.unreachable',
      `no answer from ${url}: is the server running (npm start)? PULSE_URL names another address`,
      { retryable: true, cause },
    );
  }
}

function refusal(status: number, text: string, path: string): AppError {
  try {
    const problem = JSON.parse(text) as { code?: string; detail?: string };
    return new AppError('cli.refused', `${problem.detail ?? text} [${problem.code ?? status}]`, {
      status,
      context: { path },
    });
  } catch {
    return new AppError('cli.refused', `the server answered ${status} to ${path}`, { status, context: { path } });
  }
}

function check<T>(text: string, schema: z.ZodType<T>, path: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError(
      'cli.answer_invalid',
      `the answer of ${path} is not what this version of the command line understands`,
      { cause },
    );
  }
}
