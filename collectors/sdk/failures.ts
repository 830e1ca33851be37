/** Telemetry that did not arrive. *Shape* `code` is Pulse's own (`access.unauthenticated`), else the connection's (`ECONNREFUSED`), else `sdk.export_failed`. */
export class PulseExportError extends Error {
  override readonly name = 'PulseExportError';
  readonly code: string;
  /** The address that was sent to, with the signal's path. */
  readonly endpoint: string;
  /** HTTP status of the answer; undefined when there was none, or after the last retry of 429, 502, 503 or 504. */
  readonly status: number | undefined;
  constructor(endpoint: string, cause: unknown) {
    const seen = describe(cause);
    super(`nothing was stored: ${endpoint} ${seen.text}`, { cause });
    this.code = seen.code;
    this.endpoint = endpoint;
    this.status = seen.status;
  }
}

interface Seen {
  readonly code: string;
  readonly status: number | undefined;
  readonly text: string;
}

/** What an exporter reports: `code` is an HTTP status with the answer in `data`, or a system error's name. */
interface Reported {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly data?: unknown;
}

function describe(cause: unknown): Seen {
  const { message, code, data } = (
    typeof cause === 'object' && cause !== null ? cause : { message: cause }
  ) as Reported;
  const words = typeof message === 'string' && message !== '' ? message : 'no further word';
  if (typeof code === 'number') {
    const told = answerText(typeof data === 'string' ? data : '');
    const own = /^([a-z_]+(?:\.[a-z_]+)+): /.exec(told)?.[1];
    return {
      code: own ?? 'sdk.export_failed',
      status: code,
      text: `answered ${code} ${told === '' ? words : told}`,
    };
  }
  if (typeof code === 'string') return { code, status: undefined, text: `could not be reached: ${code} ${words}` };
  return { code: 'sdk.export_failed', status: undefined, text: `did not take it: ${words}` };
}

const CONTROLS = /[\p{Cc}\ufffd]+/gu;

/** The answer's message on one line of at most 300 characters; empty for a page of HTML or nothing. */
function answerText(body: string): string {
  const message = statusMessage(body) ?? jsonMessage(body);
  return message.replace(CONTROLS, ' ').trim().slice(0, 300);
}

/**
 * *Shape* protobuf `google.rpc.Status { code = 1; message = 2 }` that the exporter has read as UTF-8: one character each for the first tag, the code and the
 * second tag, then the message's length, whose first byte has become U+FFFD when the length is above 127.
 */
function statusMessage(body: string): string | undefined {
  if (body.charCodeAt(0) !== 0x08 || body.charCodeAt(2) !== 0x12) return undefined;
  const text = body.slice(body.charCodeAt(3) === 0xfffd ? 5 : 4);
  // `details = 3` follows: each is an Any, which begins with the name of its type.
  const details = text.indexOf('type.googleapis.com/');
  return details < 0 ? text : text.slice(0, Math.max(text.lastIndexOf('\u001a', details), 0));
}

function jsonMessage(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    return typeof message === 'string' ? message : '';
  } catch {
    return '';
  }
}

/** *Units* milliseconds between two lines about the same failure. */
const LINE_PAUSE_MS = 60_000;

interface Told {
  at: number;
  silent: number;
}

/** Where failures go beside their line. */
export interface FailureOutlet {
  readonly onError: ((error: PulseExportError) => void) | undefined;
  readonly writeLine: (line: string) => void;
  readonly nowMs: () => number;
}

/** Remembers what did not arrive and tells it: the first of a kind at once, then one line a minute with a count. */
export class FailureLog {
  readonly #outlet: FailureOutlet;
  readonly #told = new Map<string, Told>();
  readonly #watches = new Set<{ first: PulseExportError | undefined }>();

  constructor(outlet: FailureOutlet) {
    this.#outlet = outlet;
  }

  add(endpoint: string, cause: unknown): void {
    const error = new PulseExportError(endpoint, cause);
    for (const watch of this.#watches) watch.first ??= error;
    const { onError } = this.#outlet;
    if (onError === undefined) {
      this.#tell(error);
      return;
    }
    try {
      onError(error);
    } catch (thrown) {
      // it must not keep the exporter from finishing
      this.#outlet.writeLine(`pulse-sdk: onError threw ${String(thrown)} at: ${error.message}`);
    }
  }

  /** Runs `work`. *Errors* the first failure that came in meanwhile, else what `work` rejects with. */
  async during(work: () => Promise<void>): Promise<void> {
    const watch: { first: PulseExportError | undefined } = { first: undefined };
    this.#watches.add(watch);
    try {
      await work();
    } catch (error) {
      throw watch.first ?? error;
    } finally {
      this.#watches.delete(watch);
    }
    if (watch.first !== undefined) throw watch.first;
  }

  #tell(error: PulseExportError): void {
    const kind = `${error.endpoint} ${error.status} ${error.code}`;
    const told = this.#told.get(kind);
    const now = this.#outlet.nowMs();
    if (told !== undefined && now - told.at < LINE_PAUSE_MS) {
      told.silent += 1;
      return;
    }
    const more = told === undefined || told.silent === 0 ? '' : ` (and ${told.silent} times since the last line)`;
    this.#told.set(kind, { at: now, silent: 0 });
    this.#outlet.writeLine(`pulse-sdk: ${error.message}${more}`);
  }
}
