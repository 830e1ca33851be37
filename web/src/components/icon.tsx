const paths = {
  good: 'M5.2 8.3l2 2 3.8-4.3',
  warning: 'M8 4.6v4.2M8 11.2v.2',
  critical: 'M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8',
  unknown: 'M5.4 8h5.2',
  info: 'M8 7.4v3.8M8 4.8v.2',
  fleet: 'M2.5 3.5h11M2.5 8h11M2.5 12.5h11',
  gauge: 'M2.5 11.5a5.5 5.5 0 1 1 11 0M8 11.5l2.6-3.6',
  chart: 'M2.5 2.5v11h11M5 10.5l2.6-3.2 2.2 1.7L13 5',
  receipt: 'M3.5 2v12l1.5-1 1.5 1L8 13l1.5 1 1.5-1 1.5 1V2zM6 5.5h4M6 8.5h4',
  meter: 'M3 13V8M6.4 13V4M9.7 13V9.5M13 13V6',
  decision: 'M8 2v4M8 6L3.5 10v3.5M8 6l4.5 4v3.5',
  log: 'M3 3.5h10M3 6.5h7M3 9.5h10M3 12.5h5',
  search: 'M7 2.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4M10.2 10.2l3.3 3.3',
  close: 'M4 4l8 8M12 4l-8 8',
  up: 'M8 12.5v-9M4.5 7L8 3.5 11.5 7',
  down: 'M8 3.5v9M4.5 9L8 12.5 11.5 9',
  right: 'M6 3.5L10.5 8 6 12.5',
  open: 'M4 6l4 4 4-4',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1',
  moon: 'M13 9.6A5.5 5.5 0 0 1 6.4 3 5.5 5.5 0 1 0 13 9.6z',
  auto: 'M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11',
  out: 'M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6.5',
  table: 'M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.6h11M6.5 6.3V13',
  download: 'M8 2.5v7M4.8 6.6L8 9.8l3.2-3.2M3 13h10',
  collapse: 'M9.5 4.5L6 8l3.5 3.5',
  expand: 'M6.5 4.5L10 8l-3.5 3.5',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.6M13 2.5v2.6h-2.6',
  columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
} as const;

export type IconName = keyof typeof paths;
const ringed = new Set<IconName>(['good', 'critical', 'unknown', 'info']);

/** A 16 px line drawing; always beside a word or inside a labelled control, so hidden from screen readers. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {ringed.has(name) && <circle cx="8" cy="8" r="6.2" />}
      {name === 'warning' && <path d="M8 1.8L14.6 13.6H1.4z" />}
      <path d={paths[name]} />
    </svg>
  );
}

/** The product's mark. */
export function Mark() {
  return (
    <svg className="mark" width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="currentColor" />
      <path
        d="M5 17h5l3-8 5 15 3-10 2 3h4"
        fill="none"
        stroke="var(--on-accent)"
        strokeWidth="2.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
