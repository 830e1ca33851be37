/** Writes rows as CSV (RFC 4180); a missing value is an empty field. */
export function toCsv(header: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const field = (value: string | number | null) => {
    if (value === null) return '';
    const text = String(value);
    // A leading sign of a formula would be run by a spreadsheet.
    const safe = typeof value === 'string' && /^[=+@\t]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [header, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}
