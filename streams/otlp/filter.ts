import type { OtlpSignal } from './port.ts';
import { WireReader } from './wire-reader.ts';

/** Fields that lead from the request down to its records. */
type Level = readonly number[];
const recordLevels: readonly Level[] = [[1], [2], [2]];
const metricLevels: readonly Level[] = [[1], [2], [2], [5, 7, 9, 10, 11], [1]];

/**
 * Rebuilds a valid request without some of its records. Everything else stays byte for byte; a metric, scope or resource that loses all its records stays empty, because the last of several
 * `data` fields decides a metric's kind even then.
 *
 * *Shape* `cut` holds the offsets at which the values of the records begin, ascending, as the scan gives them.
 */
export function filterOtlp(signal: OtlpSignal, payload: Uint8Array, cut: readonly number[]): Uint8Array {
  const walk = new Filter(payload, signal === 'metrics' ? metricLevels : recordLevels, cut);
  return Buffer.concat(walk.message(payload.length, 0));
}

class Filter {
  readonly #reader: WireReader;
  readonly #levels: readonly Level[];
  readonly #cut: readonly number[];
  #next = 0;

  constructor(payload: Uint8Array, levels: readonly Level[], cut: readonly number[]) {
    this.#reader = new WireReader(payload);
    this.#levels = levels;
    this.#cut = cut;
  }

  /** What stays of the message that begins at the reader's position, in pieces; pieces that nothing was cut from are views of the payload. */
  message(end: number, depth: number): Uint8Array[] {
    const reader = this.#reader;
    const fields = this.#levels[depth] ?? [];
    const isLast = depth === this.#levels.length - 1;
    const pieces: Uint8Array[] = [];
    let kept = reader.pos;
    const keepUntil = (at: number) => {
      if (at > kept) pieces.push(reader.slice(kept, at));
    };
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      if ((tag & 7) !== 2 || !fields.includes(tag >>> 3)) {
        reader.skip(tag, end);
        continue;
      }
      const limit = reader.limit(end);
      if ((this.#cut[this.#next] ?? Number.POSITIVE_INFINITY) >= limit && !this.#isCutHere(limit)) {
        reader.pos = limit;
        continue;
      }
      keepUntil(at);
      if (isLast) this.#next++;
      else {
        const inner = this.message(limit, depth + 1);
        const length = inner.reduce((sum, piece) => sum + piece.length, 0);
        pieces.push(prefix(tag, length), ...inner);
      }
      reader.pos = limit;
      kept = limit;
    }
    keepUntil(end);
    return pieces;
  }

  /** An empty record begins and ends at one offset. */
  #isCutHere(limit: number): boolean {
    return this.#cut[this.#next] === limit && this.#reader.pos === limit;
  }
}

function prefix(tag: number, length: number): Uint8Array {
  const bytes: number[] = [];
  for (const value of [tag, length]) {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}
