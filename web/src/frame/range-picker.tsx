import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { tenantQuery } from '../api/queries.ts';
import { useSession } from '../api/session.tsx';
import { useNow } from '../components/clock.tsx';
import { parseRange, presets, type TimeRange } from '../format/range.ts';
import { formatClock, zoneName } from '../format/time.ts';

/** Range of the page from the address, and the way to change it. */
export function useTimeRange(): { range: TimeRange; setRange: (next: { from: number; to: number } | string) => void } {
  const [search, setSearch] = useSearchParams();
  const now = useNow(30_000);
  const setRange = (next: { from: number; to: number } | string) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        for (const name of ['range', 'from', 'to']) after.delete(name);
        if (typeof next === 'string') after.set('range', next);
        else {
          after.set('from', new Date(next.from).toISOString());
          after.set('to', new Date(next.to).toISOString());
        }
        return after;
      },
      { preventScrollReset: true },
    );
  return { range: parseRange(search, now), setRange };
}

/** Chooses the time range; a range drawn in a chart appears as its own choice. */
export function RangePicker({ tenantId }: { readonly tenantId: string }) {
  const session = useSession();
  const { range, setRange } = useTimeRange();
  const zone = useQuery(tenantQuery(session.token, tenantId)).data?.timeZone ?? 'UTC';
  const now = Date.now();
  return (
    <label className="range-picker">
      <span className="visually-hidden">Time range</span>
      <select value={range.preset ?? 'custom'} onChange={(event) => setRange(event.target.value)}>
        {range.preset === null && (
          <option value="custom">
            {formatClock(range.from, now, zone)} – {formatClock(range.to, now, zone)}
          </option>
        )}
        {presets.map((preset) => (
          <option key={preset.id} value={preset.id}>
            {preset.label}
          </option>
        ))}
      </select>
      <span className="zone wide-only" title={`Times are shown in ${zone}`}>
        {zoneName(zone, range.to)}
      </span>
    </label>
  );
}
