import { AppError } from 'streams/contract';

/** How far one partition of the log has been read: every offset below `next`. */
export interface Position {
  readonly partition: number;
  readonly next: number;
}

/** A known-at cut-off on the wire: `0:4711,1:90`, partition and next offset; `none` before anything was metered. */
export function toKnownAt(positions: readonly Position[]): string {
  if (positions.length === 0) return 'none';
  return positions
    .toSorted((a, b) => a.partition - b.partition)
    .map(({ partition, next }) => `${partition}:${next}`)
    .join(',');
}

/** *Errors* `billing.known_at_invalid` (400). */
export function parseKnownAt(text: string): Position[] {
  if (text === 'none') return [];
  if (text.length > 4000 || !/^\d{1,5}:\d{1,15}(,\d{1,5}:\d{1,15})*$/.test(text)) {
    throw new AppError('billing.known_at_invalid', 'knownAt is not a cut-off that an invoice carries, such as 0:4711', {
      status: 400,
      field: 'knownAt',
    });
  }
  return text.split(',').map((part) => {
    const [partition, next] = part.split(':');
    return { partition: Number(partition), next: Number(next) };
  });
}
