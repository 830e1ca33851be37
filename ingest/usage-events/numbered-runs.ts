import type { UsageEvent } from 'streams/contract';
import type { ProducedRange } from 'streams/log';

/**
 * The running number of an event within its source; null when it has none that can be counted: an extension `sequence` of digits, of `sequencetype` Integer when that is given.
 *
 * *Source* CloudEvents extension "sequence".
 */
export function sequenceOf(event: Readonly<Record<string, unknown>>): number | null {
  const { sequence, sequencetype } = event;
  if (sequencetype !== undefined && sequencetype !== null && sequencetype !== 'Integer') return null;
  const text = typeof sequence === 'number' ? String(sequence) : sequence;
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Runs of consecutive numbers of one source and hour. *Shape* a number that comes twice counts once; where a source begins is not known. */
export function numberedRuns(events: readonly UsageEvent[], numbers: readonly (number | null)[]): ProducedRange[] {
  const bySource = new Map<string, Map<number, number>>();
  events.forEach(({ source, time }, index) => {
    const number = numbers[index] ?? null;
    if (number === null) return;
    const own = bySource.get(source) ?? new Map<number, number>();
    bySource.set(source, own);
    own.set(number, Math.floor(Date.parse(time) / 3_600_000) * 3600);
  });
  return [...bySource].flatMap(([producer, own]) => {
    const runs: { first: number; count: number; hour: number }[] = [];
    for (const [number, hour] of [...own].toSorted(([a], [b]) => a - b)) {
      const run = runs.at(-1);
      if (run !== undefined && run.first + run.count === number && run.hour === hour) run.count += 1;
      else runs.push({ first: number, count: 1, hour });
    }
    return runs.map(
      ({ first, count, hour }): ProducedRange => ({
        producer,
        first,
        count,
        anchored: false,
        hours: [{ hour, records: count }],
      }),
    );
  });
}
