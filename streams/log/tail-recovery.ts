import { type LogFile, readFully } from './file-system.ts';
import { findFrame, frameBytesMax, framesMax } from './frame.ts';
import { corrupt } from './log-errors.ts';
import { readFrames, SparseIndex } from './segment.ts';

/** What the partition last noted as being on disk: never more than the truth, possibly less after a power cut. */
export interface DurableMark {
  readonly base: number;
  readonly size: number;
}

/** The usable part of a segment, and what lies behind it. */
export interface Tail {
  readonly next: number;
  readonly size: number;
  readonly index: SparseIndex;
  /** Bytes behind the last valid frame. */
  readonly tornBytes: number;
  /** Bytes that had been acknowledged and are no longer in the file. */
  readonly missingBytes: number;
}

interface TailInput {
  readonly file: LogFile;
  readonly path: string;
  readonly base: number;
  readonly seed: number;
  readonly mark: DurableMark | null;
}

/**
 * Verifies every frame of the last segment and finds its end.
 *
 * A bad frame is a torn write when nothing says that its bytes had been on disk: behind it there is no valid frame, or only frames of
 * the same unsynced group (a power cut may keep pages in any order).
 *
 * *Errors* `log.corrupt`: bytes that had been synced, and are still there, do not verify.
 */
export async function recoverTail(input: TailInput): Promise<Tail> {
  const fileSize = await input.file.size();
  const index = new SparseIndex(input.base);
  let next = input.base;
  let size = 0;
  while (size < fileSize) {
    const frames = await readFrames(input.file, size, fileSize, input.seed);
    if (frames.length === 0) break;
    for (const frame of frames) {
      if (frame.offset !== next)
        throw corrupt(input.path, frame.position, `offset ${frame.offset} where ${next} belongs`);
      index.note(frame.offset, frame.position);
      next += 1;
      size = frame.end;
    }
  }
  const marked = input.mark?.base === input.base ? input.mark.size : 0;
  if (size < fileSize) await refuseCorruptMiddle(input, { position: size, next, fileSize, marked });
  return { next, size, index, tornBytes: fileSize - size, missingBytes: Math.max(0, marked - size) };
}

interface BadFrame {
  readonly position: number;
  readonly next: number;
  readonly fileSize: number;
  readonly marked: number;
}

async function refuseCorruptMiddle(input: TailInput, bad: BadFrame): Promise<void> {
  if (bad.position < bad.marked && bad.fileSize >= bad.marked)
    throw corrupt(input.path, bad.position, 'a record that had been acknowledged does not verify');
  const low = bad.next;
  const high = bad.next + framesMax(bad.fileSize - bad.position);
  const stride = 2 * frameBytesMax;
  let from = bad.position + 1;
  while (from < bad.fileSize) {
    const chunk = await readFully(input.file, from, Math.min(stride + frameBytesMax, bad.fileSize - from));
    const found = findFrame(chunk, { from: 0, until: stride, low, high }, from, input.seed);
    if (found === null) {
      from += stride;
      continue;
    }
    if (input.mark === null || found.synced > bad.position || bad.position < bad.marked)
      throw corrupt(input.path, bad.position, `a bad record with a valid one behind it at byte ${found.position}`);
    from = found.end;
  }
}
