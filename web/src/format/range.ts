/** Choices of the time range, shortest first. */
export const presets = [
  { id: '1h', label: 'Last hour', seconds: 3_600 },
  { id: '6h', label: 'Last 6 hours', seconds: 21_600 },
  { id: '24h', label: 'Last 24 hours', seconds: 86_400 },
  { id: '7d', label: 'Last 7 days', seconds: 604_800 },
  { id: '30d', label: 'Last 30 days', seconds: 2_592_000 },
  { id: '90d', label: 'Last 90 days', seconds: 7_776_000 },
] as const;

/** A span of the page in milliseconds, half-open; `preset` is null for one that was drawn with the mouse. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
  readonly preset: string | null;
}

const minuteMs = 60_000;

/** Reads the range from the address; what is missing or malformed becomes the last 24 hours. */
export function parseRange(search: URLSearchParams, now: number): TimeRange {
  const from = Date.parse(search.get('from') ?? '');
  const to = Date.parse(search.get('to') ?? '');
  if (Number.isFinite(from) && Number.isFinite(to) && to > from) return { from, to, preset: null };
  const preset = presets.find((choice) => choice.id === search.get('range')) ?? presets[2];
  // To the minute, so that the same minute asks for the same data.
  const end = Math.floor(now / minuteMs) * minuteMs;
  return { from: end - preset.seconds * 1000, to: end, preset: preset.id };
}

const steps = [60, 300, 900, 1_800, 3_600, 7_200, 21_600, 86_400];
const fineHistoryMs = 3 * 86_400_000;

/**
 * Bucket width that gives at most 400 points over a range.
 *
 * *Bias* at least 5 minutes for what began more than 3 days ago: older history may be kept at that resolution and would show false gaps.
 */
export function stepSeconds(range: TimeRange, now: number): number {
  const span = (range.to - range.from) / 1000;
  const least = now - range.from > fineHistoryMs ? 300 : 60;
  return steps.find((step) => step >= least && span / step <= 400) ?? 86_400;
}

/** Writes a step as the API takes it. */
export function stepText(seconds: number): string {
  if (seconds % 86_400 === 0) return `${seconds / 86_400}d`;
  if (seconds % 3_600 === 0) return `${seconds / 3_600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}
