/** Segments of a trend between its gaps, as points of an SVG path. */
export function sparklinePath(values: readonly (number | null)[], width: number, height: number): string {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return '';
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
  const x = (index: number) => ((index / Math.max(1, values.length - 1)) * width).toFixed(1);
  const y = (value: number) => (height - 2 - ((value - low) / span) * (height - 4)).toFixed(1);
  let pen = 'M';
  return values
    .map((value, index) => {
      if (value === null) {
        pen = 'M';
        return '';
      }
      const part = `${pen}${x(index)} ${y(value)}`;
      pen = 'L';
      return part;
    })
    .join('');
}

/** A small trend without axes; the words beside it carry the figure. */
export function Sparkline({ values, label }: { readonly values: readonly (number | null)[]; readonly label: string }) {
  const path = sparklinePath(values, 72, 22);
  if (path === '') return <span className="sparkline-none" aria-hidden="true" />;
  return (
    <svg className="sparkline" width="72" height="22" viewBox="0 0 72 22" role="img" aria-label={label}>
      <path d={path} fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinejoin="round" />
    </svg>
  );
}
