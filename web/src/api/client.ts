import { AppError } from 'streams/contract';
import { z } from 'zod';

// The page's security policy forbids code from strings, which zod would otherwise try for speed.
z.config({ jitless: true });

const Problem = z.object({
  code: z.string(),
  detail: z.string().optional(),
  title: z.string().optional(),
  correlationId: z.string().optional(),
});

export interface RequestOptions {
  readonly token: string;
  readonly method?: 'GET' | 'POST';
  /** Sent as JSON with a POST; an empty object when left out. */
  readonly body?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
}

/**
 * Calls the API and returns its checked answer.
 *
 * *Errors* the API's own code; `web.unreachable` (retryable) when there was no answer; `web.unexpected_answer` when it is not what the contract says.
 */
export async function request<T extends z.ZodType>(
  path: string,
  schema: T,
  options: RequestOptions,
): Promise<z.output<T>> {
  const response = await send(path, options);
  const body = await readJson(response);
  if (!response.ok) throw toAppError(response, body);
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new AppError('web.unexpected_answer', 'The server answered in a form that this page does not understand.', {
    status: 502,
    ...(issue === undefined ? {} : { field: issue.path.join('.') }),
    context: { path, message: issue?.message },
  });
}

async function send(path: string, options: RequestOptions): Promise<Response> {
  // Links in answers are paths or absolute; a credential never leaves this origin.
  const url = new URL(path, location.origin);
  if (url.origin !== location.origin) {
    throw new AppError('web.foreign_link', 'The link points to another server and was not followed.', { status: 400 });
  }
  try {
    return await fetch(url, {
      method: options.method ?? 'GET',
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${options.token}`,
        ...(options.method === 'POST' ? { 'content-type': 'application/json' } : {}),
      },
      ...(options.method === 'POST' ? { body: JSON.stringify(options.body ?? {}) } : {}),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      cache: 'no-store',
    });
  } catch (cause) {
    if (options.signal?.aborted === true) throw cause;
    throw new AppError('web.unreachable', 'The server did not answer.', { status: 503, retryable: true, cause });
  }
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

function toAppError(response: Response, body: unknown): AppError {
  const problem = Problem.safeParse(body);
  if (!problem.success) {
    return new AppError('web.unexpected_answer', `The server answered ${response.status} without saying why.`, {
      status: response.status,
      retryable: response.status >= 500,
    });
  }
  const { code, detail, title, correlationId } = problem.data;
  return new AppError(code, detail ?? title ?? code, {
    status: response.status,
    retryable: response.status >= 500 || response.status === 429,
    context: correlationId === undefined ? {} : { correlationId },
  });
}

/** Appends parameters to a path; null and undefined are left out. */
export function withQuery(path: string, parameters: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${text}`;
}

const pageLimit = 20;

interface ListPage {
  readonly items: readonly unknown[];
  readonly nextCursor: string | null;
}

/** Reads every page of a list. *Bias* stops loudly after 20 pages of 1,000 rather than showing a part as the whole. */
export async function requestPages<T extends z.ZodType<ListPage>>(
  path: string,
  page: T,
  options: RequestOptions,
): Promise<z.output<T>[]> {
  const pages: z.output<T>[] = [];
  let cursor: string | null = null;
  for (let index = 0; index < pageLimit; index += 1) {
    const answer: z.output<T> = await request(withQuery(path, { limit: 1000, cursor }), page, options);
    pages.push(answer);
    cursor = answer.nextCursor;
    if (cursor === null) return pages;
  }
  throw new AppError('web.too_many', 'The list is longer than this page can show.', { status: 400 });
}

/** Reads every item of a list. */
export async function requestAll<T extends z.ZodType>(
  path: string,
  item: T,
  options: RequestOptions,
): Promise<z.output<T>[]> {
  const page = z.object({ items: z.array(item), nextCursor: z.string().nullable() });
  const pages = await requestPages(path, page, options);
  return pages.flatMap(({ items }) => items);
}
