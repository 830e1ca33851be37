/**
 * The error every folder throws for an input or I/O failure. Programmer errors use {@link invariant} instead.
 *
 * *Shape* `code` is stable, dotted and catalogued in the folder's README (`ingest.tenant_mismatch`); `status` is the HTTP status an adapter answers;
 * `retryable` says whether the same call may succeed later; `field` names the offending input by path; `context` is safe to log and to show.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    options: {
      status?: number;
      retryable?: boolean;
      field?: string | undefined;
      retryAfterSeconds?: number;
      context?: Record<string, unknown>;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 500;
    this.retryable = options.retryable ?? false;
    this.field = options.field;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.context = options.context ?? {};
  }
}

/** Throws when a condition that the code itself guarantees does not hold. *Errors* plain `Error`, never caught to continue. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant: ${message}`);
}

/** RFC 9457 body of every error answer of the API. *Source* RFC 9457 §3. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly field?: string;
  readonly correlationId?: string;
}

/** Translates an error into the body that a client sees; an unknown error becomes `internal` without its message. */
export function toProblem(error: unknown, correlationId?: string): Problem {
  const known = error instanceof AppError ? error : undefined;
  const status = known?.status ?? 500;
  const code = known?.code ?? 'internal';
  return {
    type: `urn:dotmac:pulse:error:${code}`,
    title: code.replaceAll(/[._]/g, ' '),
    status,
    code,
    detail: known?.message ?? 'the server failed; the correlation id finds the cause in its log',
    ...(known?.field === undefined ? {} : { field: known.field }),
    ...(correlationId === undefined ? {} : { correlationId }),
  };
}
