import { AppError } from 'streams/contract';
import { answeredCode } from 'streams/runtime';

/** Fastify's own refusals by code, in the codes of the door. */
const refusals = new Map<string, { status: number; code: string }>([
  ['FST_ERR_CTP_BODY_TOO_LARGE', { status: 413, code: 'ingest.too_large' }],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', { status: 415, code: 'ingest.media_type' }],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', { status: 400, code: 'ingest.content_length' }],
  // Nobody is there to read the answer; it is counted.
  ['ECONNRESET', { status: 400, code: 'ingest.cut_off' }],
]);

/** What the server below the routes refused, or null when it may be a passing fault of ours. *Errors* returns `ingest.too_large`, `ingest.media_type`, `ingest.content_length`, `ingest.cut_off`. */
export function transportRefusal(error: unknown): AppError | null {
  const refusal = refusals.get((error as NodeJS.ErrnoException | null)?.code ?? '');
  if (refusal === undefined) return null;
  return new AppError(refusal.code, (error as Error).message, { status: refusal.status, cause: error });
}

/** Why a request was refused, as it is counted: the code that it was answered with, or that its sender was gone before its end. */
export function refusalReason(error: unknown): string {
  return answeredCode(error) ?? transportRefusal(error)?.code ?? 'ingest.unavailable';
}
