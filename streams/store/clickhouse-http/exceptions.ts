import { AppError } from '../../contract/index.ts';
import { engineCode } from '../engine-errors.ts';

/** An error as a ClickHouse server words it. */
export interface Exception {
  readonly code: number;
  readonly name: string;
  readonly message: string;
}

/** A refusal of the interface itself, with the code that a server would give. */
export class Refusal extends Error {
  readonly exception: Exception;
  constructor(code: number, name: string, message: string) {
    super(message);
    this.exception = { code, name, message };
  }
}

/** Codes by HTTP status; others are 500. *Source* ClickHouse `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp`, and 403 for what a reader may not do. */
const statuses: ReadonlyMap<number, number> = new Map(
  Object.entries({
    400: [6, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 69, 70, 72, 117, 130, 131, 349, 456, 457, 467, 472],
    401: [194],
    403: [164, 192, 193, 291, 497, 516],
    404: [46, 47, 50, 56, 60, 63, 71, 73, 81, 115],
    408: [159],
    413: [307, 396],
    429: [202],
    501: [1, 48],
    503: [209, 210, 241, 394, 439],
  }).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)] as const)),
);

export const statusOf = (exception: Exception): number => statuses.get(exception.code) ?? 500;

/** What an error is answered with. *Shape* paths of this machine are left out; what is not the engine's is code 1002 without its text. */
export function toException(error: unknown): Exception {
  if (error instanceof Refusal) return error.exception;
  if (error instanceof AppError && error.status === 503) {
    return { code: 210, name: 'NETWORK_ERROR', message: 'this cannot be served now: try again' };
  }
  const code = engineCode(error);
  const text = error instanceof Error ? error.message : '';
  // The client's own parser takes the innermost exception, and so does this.
  const parsed =
    /Code: (\d+)\. DB::Exception: (?:Code: \d+\. DB::Exception: )?([\s\S]*?)\.? \(([A-Z][A-Z0-9_]{2,})\)/.exec(text);
  if (parsed?.[1] === undefined) {
    return { code: Number(code ?? 1002), name: 'UNKNOWN_EXCEPTION', message: 'the statement could not be run' };
  }
  return {
    code: Number(parsed[1]),
    name: parsed[3] ?? '',
    message: (parsed[2] ?? '')
      .replaceAll(/(?:\/[\w.:@-]+){2,}\/?/g, '…')
      .replace(/: In scope SELECT formatQuerySingleLine\([\s\S]*$/, '')
      .slice(0, 2000),
  };
}

/** The text of an exception as in a server's body; the version is part of it. */
export const exceptionText = ({ code, name, message }: Exception, version: string): string =>
  `Code: ${code}. DB::Exception: ${message}. (${name}) (version ${version} (official build))\n`;
