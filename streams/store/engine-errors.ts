import { AppError } from '../contract/index.ts';

/** Engine codes by what a caller can do about them. *Source* ClickHouse `src/Common/ErrorCodes.cpp`. */
const timeoutCodes = new Set(['159', '160', '209']);
/** Memory, disk, parts and network: the same call may succeed later. */
const unavailableCodes = new Set([
  '74',
  '75',
  '76',
  '198',
  '202',
  '210',
  '236',
  '241',
  '243',
  '252',
  '286',
  '394',
  '439',
  '999',
]);

/** The engine's own number for an error: the client gives it as `code`, the stream as `clickhouseCode` of the error or of its cause. */
export function engineCode(error: unknown): string | undefined {
  let at: unknown = error;
  for (let depth = 0; depth < 4 && at !== null && typeof at === 'object'; depth++) {
    const { code, clickhouseCode } = at as { code?: unknown; clickhouseCode?: unknown };
    if (typeof clickhouseCode === 'number') return String(clickhouseCode);
    if (typeof code === 'string' && /^\d+$/.test(code)) return code;
    // An error in the middle of an embedded stream has its number in the engine's own head of the text only.
    const stated = at instanceof Error ? /^Code: (\d+)\. DB::Exception/.exec(at.message)?.[1] : undefined;
    if (stated !== undefined) return stated;
    at = (at as { cause?: unknown }).cause;
  }
  return undefined;
}

/**
 * Translates an engine, client or file error by its code.
 *
 * *Errors* returns `store.timeout` and `store.unavailable` (retryable) or `store.query_failed` (not retryable); an `AppError` passes unchanged.
 */
export function fromEngineError(error: unknown, what: string): AppError {
  if (error instanceof AppError) return error;
  const code = engineCode(error);
  const context = { what, ...(code === undefined ? {} : { engineCode: code }) };
  if (code !== undefined && timeoutCodes.has(code)) {
    return new AppError('store.timeout', `${what}: the engine stopped at its time limit`, {
      status: 503,
      retryable: true,
      context,
      cause: error,
    });
  }
  const system = (error as { code?: unknown } | null)?.code;
  const fileSystem = typeof system === 'string' && /^E[A-Z]+$/.test(system);
  if ((code !== undefined && unavailableCodes.has(code)) || fileSystem || system === 'CHDB_CLOSED') {
    return new AppError('store.unavailable', `${what}: the engine cannot serve this now`, {
      status: 503,
      retryable: true,
      context,
      cause: error,
    });
  }
  const detail = error instanceof Error ? error.message.slice(0, 500) : String(error);
  return new AppError('store.query_failed', `${what}: ${detail}`, { status: 500, context, cause: error });
}
