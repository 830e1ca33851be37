import { AppError } from '../contract/index.ts';

/** Where a ClickHouse server answers and as whom. */
export interface ClickhouseServerAddress {
  /** Scheme, host and port. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Section and key of the URL. */
const setting = ['store', 'url'].join('.');

/**
 * Reads `http(s)://user:password@host:8123/database`; parts given separately win over those in the URL.
 *
 * *Errors* `config.invalid` naming the setting; the password is never part of a message.
 */
export function parseServerAddress(
  url: string,
  separate: {
    readonly user?: string | undefined;
    readonly password?: string | undefined;
    readonly database?: string | undefined;
  } = {},
): ClickhouseServerAddress {
  const invalid = (message: string) => new AppError('config.invalid', message, { status: 400, field: setting });
  const parsed = URL.parse(url);
  if (parsed === null) throw invalid('not a URL; write http://user:password@host:8123/database');
  if (!['http:', 'https:'].includes(parsed.protocol)) {
    throw invalid(
      `${parsed.protocol}// is not served: ClickHouse's HTTP interface has http:// (8123) or https:// (8443)`,
    );
  }
  const database = separate.database ?? decodeURIComponent(parsed.pathname.replace(/^\//, '').replace(/\/$/, ''));
  if (!/^\w*$/.test(database)) throw invalid('the path is the database: letters, digits and _');
  if (parsed.search !== '') throw invalid('settings in the URL are not taken');
  return {
    url: `${parsed.protocol}//${parsed.host}`,
    user: separate.user ?? (decodeURIComponent(parsed.username) || 'default'),
    password: separate.password ?? decodeURIComponent(parsed.password),
    database: database || 'default',
  };
}
