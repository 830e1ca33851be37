import { formatClock } from '../format/time.ts';

export interface StateTrack {
  readonly label: string;
  readonly points: readonly (readonly [number, number])[];
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly state: 'up' | 'down' | 'gap';
}

/** Joins buckets of one state; what lies between is a gap. A bucket that was not up all the time counts as down. */
export function stateSpans(points: StateTrack['points'], stepMs: number, from: number, to: number): Span[] {
  const spans: Span[] = [];
  const add = (span: Span) => {
    const last = spans.at(-1);
    if (span.to <= span.from) return;
    if (last !== undefined && last.state === span.state && last.to === span.from) {
      spans[spans.length - 1] = { ...last, to: span.to };
    } else spans.push(span);
  };
  let at = from;
  for (const [time, value] of points) {
    const [start, end] = [Math.max(time, at), Math.min(time + stepMs, to)];
    if (end <= start) continue;
    if (start > at) add({ from: at, to: start, state: 'gap' });
    add({ from: start, to: end, state: value >= 1 ? 'up' : 'down' });
    at = end;
  }
  if (at < to) add({ from: at, to, state: 'gap' });
  return spans;
}

const words = { up: 'up', down: 'down', gap: 'not measured' } as const;

/** One bar a component: where it was up, down or not measured. */
export function StateTimeline(props: {
  readonly tracks: readonly StateTrack[];
  readonly stepMs: number;
  readonly from: number;
  readonly to: number;
  readonly timeZone: string;
}) {
  const { from, to, timeZone } = props;
  const percent = (time: number) => `${((time - from) / (to - from)) * 100}%`;
  return (
    <div className="timeline">
      {props.tracks.map((track) => {
        const spans = stateSpans(track.points, props.stepMs, from, to);
        const down = spans.filter((span) => span.state === 'down');
        const label = `${track.label}: ${down.length === 0 ? 'never seen down' : `down ${down.length} times`}`;
        return (
          <div key={track.label} className="timeline-row">
            <span className="timeline-label ellipsis" title={track.label}>
              {track.label}
            </span>
            <div className="timeline-track" role="img" aria-label={label}>
              {spans.map((span) => (
                <i
                  key={span.from}
                  className={`span-${span.state}`}
                  style={{ insetInlineStart: percent(span.from), width: percent(from + span.to - span.from) }}
                  title={`${track.label} ${words[span.state]}, ${formatClock(span.from, to, timeZone)} to ${formatClock(span.to, to, timeZone)}`}
                />
              ))}
            </div>
          </div>
        );
      })}
    </div>
  );
}
