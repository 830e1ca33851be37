import type { IncomingMessage } from 'node:http';

/** The token or key of a request: a bearer token, or the password of any of the ways in which clients of ClickHouse send one. The user's name decides nothing. */
export function readCredential(request: IncomingMessage, url: URL): string | null {
  const { authorization, 'x-clickhouse-key': key } = request.headers;
  if (typeof key === 'string' && key !== '') return key;
  const bearer = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const basic = /^Basic\s+([A-Za-z0-9+/=_-]+)$/i.exec(authorization ?? '')?.[1];
  if (basic !== undefined) {
    const pair = Buffer.from(basic, 'base64').toString('utf8');
    const password = pair.slice(pair.indexOf(':') + 1);
    return pair.includes(':') && password !== '' ? password : null;
  }
  const password = url.searchParams.get('password');
  return password === null || password === '' ? null : password;
}
