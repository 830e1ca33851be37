import { forecast } from './forecast.ts';

/** A mistake in a file that a person gave: the command ends with exit code 2. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly line: number | null;
  constructor(message: string, line: number | null) {
    super(line === null ? message : `line ${line}: ${message}`);
    this.line = line;
  }
}

export interface ForecastCommandOptions {
  readonly horizon: number;
  readonly season: number | 'auto';
  readonly interval: number;
}

/** Reads the options of `pulse forecast`. *Errors* {@link InputError} naming the option. */
export function parseForecastOptions(options: Readonly<Record<string, string | undefined>>): ForecastCommandOptions {
  const whole = (name: string, least: number, most: number): number => {
    const text = options[name] ?? '';
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < least || value > most) {
      throw new InputError(`--${name} must be a whole number from ${least} to ${most}`, null);
    }
    return value;
  };
  const interval = Number(options['interval'] ?? '0.95');
  if (!(interval > 0 && interval < 1)) throw new InputError('--interval must be between 0 and 1', null);
  const season = options['season'] ?? 'auto';
  return {
    horizon: whole('horizon', 1, 10_000),
    season: season === 'auto' ? 'auto' : whole('season', 1, 100_000),
    interval,
  };
}

interface Series {
  readonly name: string;
  readonly values: (number | null)[];
  lastOrder: number;
}

/** Splits a CSV line; quotes are allowed around a field, doubled inside it. *Source* RFC 4180. */
function fieldsOf(line: string, number: number): string[] {
  if (!line.includes('"')) return line.split(',');
  const fields: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  while (pattern.lastIndex <= line.length) {
    const match = pattern.exec(line);
    if (match === null) throw new InputError('a quote is not closed or stands inside a field', number);
    fields.push(match[1] === undefined ? (match[2] ?? '') : match[1].replaceAll('""', '"'));
    if (match[3] === '') return fields;
  }
  return fields;
}

/** The order of a timestamp: an integer step or an ISO instant. */
function orderOf(text: string, line: number): number {
  const order = /^-?\d{1,15}$/.test(text)
    ? Number(text)
    : /^\d{4}-\d\d-\d\d/.test(text)
      ? Date.parse(text)
      : Number.NaN;
  if (Number.isNaN(order)) throw new InputError(`"${text.slice(0, 40)}" is neither an ISO time nor a whole step`, line);
  return order;
}

/** An empty, NaN or null value is a gap; an infinite or unreadable one a mistake. */
function parseValue(text: string, line: number): number | null {
  const trimmed = text.trim();
  if (trimmed === '' || /^(nan|null|na)$/i.test(trimmed)) return null;
  const value = Number(trimmed);
  if (!Number.isFinite(value)) throw new InputError(`"${text.slice(0, 40)}" is not a finite number`, line);
  return value;
}

function csvField(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function rowsOf(series: Series, options: ForecastCommandOptions): string {
  const result = forecast(series.values, options);
  const name = csvField(series.name);
  return result.mean.map((mean, h) => `${name},${h + 1},${mean},${result.lower[h]},${result.upper[h]}\n`).join('');
}

/**
 * Forecasts every series of a CSV `series,timestamp,value`, one at a time in bounded memory.
 *
 * *Shape* yields the header and then `series,step,mean,lower,upper`, series in order of first appearance. Rows of a series are contiguous and strictly ascending in time.
 * *Errors* {@link InputError} with the line.
 */
export async function* forecastCsv(
  lines: AsyncIterable<string> | Iterable<string>,
  options: ForecastCommandOptions,
): AsyncGenerator<string> {
  const seen = new Set<string>();
  let number = 0;
  let current: Series | null = null;
  for await (const line of lines) {
    number++;
    const text = line.replace(/\r$/, '').replace(number === 1 ? /^\uFEFF/ : /(?!)/, '');
    if (number === 1) {
      if (text.trim() !== 'series,timestamp,value') {
        throw new InputError('the header must be series,timestamp,value', number);
      }
      yield 'series,step,mean,lower,upper\n';
      continue;
    }
    if (text === '') continue;
    const [name, timestamp, value, ...more] = fieldsOf(text, number);
    if (name === undefined || timestamp === undefined || value === undefined || more.length > 0) {
      throw new InputError('a row has the three fields series,timestamp,value', number);
    }
    if (current === null || current.name !== name) {
      if (seen.has(name)) throw new InputError(`the rows of series "${name}" are not contiguous`, number);
      if (current !== null) yield rowsOf(current, options);
      seen.add(name);
      current = { name, values: [], lastOrder: Number.NEGATIVE_INFINITY };
    }
    const order = orderOf(timestamp.trim(), number);
    if (order === current.lastOrder) throw new InputError(`timestamp "${timestamp}" is repeated in "${name}"`, number);
    if (order < current.lastOrder)
      throw new InputError(`timestamp "${timestamp}" is out of order in "${name}"`, number);
    current.lastOrder = order;
    current.values.push(parseValue(value, number));
  }
  if (number === 0) throw new InputError('the input is empty; the header series,timestamp,value is expected', 1);
  if (current !== null) yield rowsOf(current, options);
}
