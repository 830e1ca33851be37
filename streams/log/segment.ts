import { type LogFile, readFully } from './file-system.ts';
import { decodeFrame, type Frame, frameBytesMax } from './frame.ts';

const indexStride = 1024 * 1024;
const chunkBytes = 1024 * 1024;

/** Where in a segment to start looking for an offset: one entry about every MiB, 16 bytes a MiB of log. */
export class SparseIndex {
  readonly #offsets: number[];
  readonly #positions: number[] = [0];

  constructor(base: number) {
    this.#offsets = [base];
  }

  /** Notes a frame. Frames may be seen again, in any order; only those beyond the last entry count. */
  note(offset: number, position: number): void {
    const last = this.#positions.at(-1) ?? 0;
    if (position - last < indexStride) return;
    this.#offsets.push(offset);
    this.#positions.push(position);
  }

  /** The last noted frame at or before an offset. */
  floor(offset: number): { readonly offset: number; readonly position: number } {
    let low = 0;
    let high = this.#offsets.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#offsets[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { offset: this.#offsets[low] ?? 0, position: this.#positions[low] ?? 0 };
  }
}

/** A file of frames. `size` counts only bytes that are on disk; bytes behind it are not part of the log. */
export interface Segment {
  /** Offset of the first record; also the file's name. */
  readonly base: number;
  readonly path: string;
  readonly index: SparseIndex;
  size: number;
  /** Offset after the last record; null while it is the one being written. */
  end: number | null;
}

const suffix = '.segment';

/** File name of the segment that starts at an offset; names sort as offsets do. */
export function segmentName(base: number): string {
  return `${String(base).padStart(16, '0')}${suffix}`;
}

/** The base offset in a segment's file name, null for any other file. */
export function segmentBase(name: string): number | null {
  return /^\d{16}\.segment$/.test(name) ? Number(name.slice(0, -suffix.length)) : null;
}

/**
 * Reads the frames that follow `position`, about a MiB at a time, never beyond `end`.
 *
 * *Shape* no frames: there is no valid frame at `position`.
 */
export async function readFrames(
  file: LogFile,
  position: number,
  end: number,
  seed: number,
): Promise<readonly Frame[]> {
  let want = Math.min(chunkBytes, end - position);
  for (;;) {
    const chunk = await readFully(file, position, want);
    const frames: Frame[] = [];
    for (let at = 0; ; ) {
      const decoded = decodeFrame(chunk, at, position, seed);
      if (decoded.kind === 'frame') {
        frames.push(decoded.frame);
        at = decoded.frame.end - position;
        continue;
      }
      if (frames.length > 0 || decoded.kind === 'bad' || chunk.length < want) return frames;
      if (decoded.bytes > Math.min(end - position, frameBytesMax)) return frames;
      want = decoded.bytes;
      break;
    }
  }
}
