import { AppError } from '../contract/index.ts';

/** The disk or the queue refuses at the moment; nothing of the call may be assumed stored. */
export function unavailable(reason: string, cause?: unknown): AppError {
  return new AppError('log.unavailable', `the log cannot take records: ${reason}`, {
    status: 503,
    retryable: true,
    retryAfterSeconds: 1,
    ...(cause === undefined ? {} : { cause, context: { systemCode: systemCode(cause) } }),
  });
}

/** Bytes that were on disk are wrong or missing. Nothing is skipped: a person decides. */
export function corrupt(file: string, position: number, detail: string): AppError {
  return new AppError('log.corrupt', `${detail} (file ${file}, byte ${position})`, { context: { file, position } });
}

function systemCode(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'unknown';
}
