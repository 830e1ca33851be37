import type { Socket } from 'node:net';
import { Client, type ClientConfig, type CustomTypesConfig, DatabaseError, Pool, type PoolConfig, types } from 'pg';
import { AppError } from '../contract/index.ts';

const timestampOids: ReadonlySet<number> = new Set([types.builtins.TIMESTAMPTZ, types.builtins.TIMESTAMP]);
const readTimestamp = types.getTypeParser(types.builtins.TIMESTAMPTZ, 'text') as (text: string) => unknown;

/** Instants as ISO 8601 in UTC; everything else as the driver does it (64-bit integers and decimals are strings, jsonb is parsed). Held per pool, never set globally. */
const pulseTypes: CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (!timestampOids.has(oid) || format === 'binary') return types.getTypeParser(oid, format);
    return (text: string) => {
      const instant = readTimestamp(text);
      if (!(instant instanceof Date)) throw new Error(`no finite instant: ${text}`);
      return instant.toISOString();
    };
  },
};

/** The driver's socket, which its types leave out. */
interface WithSocket {
  readonly connection: { readonly stream: Socket };
}

/**
 * Settings of every pool. A caller waits at most 30 s for a connection: behind that the database is as good as away.
 *
 * *Shape* `silenceMs`: a connection on which nothing was said for so long is given up. The server's own limits end any statement earlier, so it is the network that is silent.
 */
export function createPool(config: PoolConfig, onError: (error: Error) => void, silenceMs?: number): Pool {
  const pool = new Pool({ connectionTimeoutMillis: 30_000, ...config, types: pulseTypes });
  pool.on('error', onError);
  // The pool listens on idle connections only: one that ends inside a transaction would end the process.
  pool.on('connect', (client) => {
    client.on('error', onError);
    if (silenceMs === undefined) return;
    const { stream } = (client as unknown as WithSocket).connection;
    stream.setTimeout(silenceMs, () => {
      stream.destroy(Object.assign(new Error('the database was silent'), { code: 'ETIMEDOUT' }));
    });
  });
  return pool;
}

/** One connection outside of the pool, for migrations. */
export function createClient(config: ClientConfig): Client {
  return new Client({ ...config, types: pulseTypes });
}

const unavailable = (cause: unknown, detail: string) =>
  new AppError('control.unavailable', `the control-plane database does not answer: ${detail}`, {
    status: 503,
    retryable: true,
    cause,
  });

const socketCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
]);

/** Errors of node:tls that a certificate causes. */
const isCertificateCode = (code: string | undefined): boolean =>
  code !== undefined && /^ERR_TLS_|^UNABLE_TO_|^CERT_|SELF_SIGNED_CERT|^ERR_SSL_/.test(code);

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/**
 * Translates an error of the driver by its SQLSTATE or socket code; anything else comes back as it was.
 *
 * *Errors* `control.certificate` and `control.login_refused` (not retryable), `control.conflict` (409), `control.invalid` (400), `control.append_only` (409), `control.forbidden` (403), `control.timeout` and `control.unavailable` (503, retryable).
 * *Source* PostgreSQL, appendix A (error codes).
 */
export function fromPgError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const code = codeOf(error);
  if (isCertificateCode(code)) {
    return new AppError('control.certificate', `the database's certificate is not accepted: ${code}`, { cause: error });
  }
  if (!(error instanceof DatabaseError)) {
    // The driver gives no code to these: a connection that ended under a query or before it, and a wait for the pool that ran out.
    const ended =
      error instanceof Error &&
      /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(
        error.message,
      );
    return (code !== undefined && socketCodes.has(code)) || ended ? unavailable(error, 'connection lost') : error;
  }
  const context = {
    ...(error.table && { table: error.table }),
    ...(error.constraint && { constraint: error.constraint }),
  };
  if (code === '23505') {
    return new AppError('control.conflict', 'the same record exists already', { status: 409, cause: error, context });
  }
  if (code?.startsWith('23') || code?.startsWith('22')) {
    return new AppError('control.invalid', 'the record breaks a rule of the control plane', {
      status: 400,
      field: error.column,
      cause: error,
      context,
    });
  }
  if (code === '55000') {
    return new AppError('control.append_only', 'the table takes new records only', {
      status: 409,
      cause: error,
      context,
    });
  }
  if (code === '42501') {
    return new AppError('control.forbidden', 'the record lies outside of what this caller may touch', {
      status: 403,
      cause: error,
      context,
    });
  }
  if (code?.startsWith('28') || code === '3D000') {
    return new AppError('control.login_refused', 'the database server refuses the login, or has no such database', {
      status: 503,
      cause: error,
    });
  }
  // A statement or a wait for a lock that took too long.
  if (code === '57014' || code === '55P03') {
    return new AppError('control.timeout', 'the control-plane database took too long', {
      status: 503,
      retryable: true,
      cause: error,
    });
  }
  if (
    code?.startsWith('08') ||
    code?.startsWith('57P') ||
    code?.startsWith('53') ||
    // The server ended a transaction that stood still.
    code === '25P03' ||
    code === '40001' ||
    code === '40P01'
  ) {
    return unavailable(error, code);
  }
  return error;
}
