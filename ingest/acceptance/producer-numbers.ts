import type { HourCount, ProducedRange } from 'streams/log';

/** Numbers that a sender gave the records of an export, as its headers say: `pulse-producer: ID` and `pulse-sequence: FIRST;COUNT`. */
export interface ProducerNumbers {
  readonly producer: string;
  readonly first: number;
  readonly count: number;
}

const producerId = /^[\x21-\x7e]{1,128}$/;
const sequence = /^(\d{1,15});(\d{1,9})$/;

/**
 * Reads an export's numbers from HTTP headers or call metadata.
 *
 * *Bias* without both headers, or with one that is malformed, nothing is numbered and nothing is refused: they are the sender's own bookkeeping, and data are worth more.
 */
export function readProducerNumbers(header: (name: string) => unknown): ProducerNumbers | undefined {
  const producer = header('pulse-producer');
  const range = header('pulse-sequence');
  if (typeof producer !== 'string' || typeof range !== 'string' || !producerId.test(producer)) return undefined;
  const [, first, count] = sequence.exec(range) ?? [];
  const numbers = { producer, first: Number(first), count: Number(count) };
  return numbers.first >= 1 && numbers.count >= 1 ? numbers : undefined;
}

/** What the envelope says of them: the producer's numbers begin with 1. */
export function producedOf(
  numbers: ProducerNumbers | undefined,
  hours: readonly HourCount[],
): { produced?: readonly ProducedRange[] } {
  if (numbers === undefined) return {};
  return { produced: [{ ...numbers, anchored: true, hours: hours.map(({ hour, records }) => ({ hour, records })) }] };
}
