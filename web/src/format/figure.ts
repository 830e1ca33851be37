import { locale, missing } from './locale.ts';

/** Writes a count: whole below 10,000, shortened above (`1.2 M`). */
export function formatCount(value: number | null, language: string = locale): string {
  if (value === null) return missing;
  if (Math.abs(value) < 10_000) return new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format(value);
  // British English shortens a million to `m`, which reads as milli.
  return new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })
    .format(value)
    .replace('K', 'k')
    .replace(/([A-Za-z]+)$/, ' $1');
}

/** Writes a measured value with at most four significant digits. */
export function formatValue(value: number | null, language: string = locale): string {
  if (value === null || !Number.isFinite(value)) return missing;
  if (Math.abs(value) >= 10_000) return formatCount(value, language);
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 4 }).format(value);
}

/** Writes a service level with three decimals. *Bias* cut, not rounded: what missed 100 % never reads as 100.000 %. */
export function formatAttainment(fraction: number | null): string {
  if (fraction === null) return missing;
  const thousandths = Math.floor(fraction * 100_000 + 1e-6);
  return `${(thousandths / 1000).toFixed(3)} %`;
}

/** Writes a fraction as whole percent. */
export function formatPercent(fraction: number | null): string {
  return fraction === null ? missing : `${Math.round(fraction * 100)} %`;
}

/** Writes seconds as minutes of error budget with one decimal below ten; what is less than a tenth of a minute stays seconds. */
export function formatBudget(seconds: number): string {
  const minutes = Math.abs(seconds) / 60;
  const sign = seconds < 0 ? '−' : '';
  if (minutes > 0 && minutes < 0.1) return `${sign}${Math.max(1, Math.round(minutes * 60))} s`;
  return `${sign}${minutes < 10 ? minutes.toFixed(1) : Math.round(minutes)} min`;
}
