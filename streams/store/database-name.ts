import { AppError } from '../contract/index.ts';

/** A database that `inDatabase` may make: never one of the engine's own. *Errors* `store.database_invalid`. */
export function parseDatabaseName(name: string): string {
  const isOwn = ['default', 'system', 'information_schema'].includes(name);
  if (/^[a-z][a-z0-9_]{0,40}$/.test(name) && !isOwn) return name;
  throw new AppError(
    'store.database_invalid',
    `database ${JSON.stringify(name)}: a small letter, then up to 40 of a-z, 0-9 and _, and not one of the engine's own`,
    { status: 400, field: 'database' },
  );
}
