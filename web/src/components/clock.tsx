import { useEffect, useState, useSyncExternalStore } from 'react';
import { formatClock, formatRelative, zoneName } from '../format/time.ts';
import { Icon } from './icon.tsx';

/** Now, advanced every `everyMs`; a page in the background stands still. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** When the figures were read and how long ago, with the way to read them now. *Units* times in `timeZone`, or in the reader's own zone. */
export function Updated(props: {
  readonly at: number;
  readonly busy: boolean;
  readonly failed?: boolean;
  readonly timeZone?: string;
  readonly onRefresh: () => void;
}) {
  const now = useNow(1_000);
  const zone = props.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const clock = `${formatClock(props.at, now, zone)} ${zoneName(zone, props.at)}`;
  const nothing = props.failed === true ? 'not read' : 'reading…';
  return (
    <span className="updated">
      <span>{props.at === 0 ? nothing : `updated ${clock}, ${formatRelative(props.at, now)}`}</span>
      <button
        type="button"
        className="icon-button small"
        onClick={props.onRefresh}
        aria-label="Refresh now"
        title="Refresh now"
        aria-busy={props.busy}
      >
        <Icon name="refresh" size={14} />
      </button>
    </span>
  );
}

/** Whether a media query holds, kept up to date. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const list = matchMedia(query);
      list.addEventListener('change', listener);
      return () => list.removeEventListener('change', listener);
    },
    () => matchMedia(query).matches,
  );
}

/** Holds on a phone, and on a larger screen that is zoomed in. */
export const narrowQuery = '(max-width: 759px)';
