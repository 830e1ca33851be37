import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { invariant } from '../contract/index.ts';
import type { Query } from './port.ts';

/** Names of the `{name:Type}` placeholders of a statement, in order of appearance and without repeats. */
export function placeholders(sql: string): string[] {
  const withoutComments = sql.replaceAll(/--[^\n]*/g, '').replaceAll(/'(?:[^'\\]|\\.|'')*'/g, "''");
  const names = [...withoutComments.matchAll(/\{(\w+)\s*:\s*[^{}]+\}/g)].map((match) => match[1] ?? '');
  return [...new Set(names)];
}

/**
 * Binds a `.sql` file to the schema of its parameters and of its rows.
 *
 * *Shape* the file is read once, here; its placeholders `{name:Type}` must be exactly the keys of `params`. 64-bit integers and decimals are strings in a row.
 * *Errors* a programmer error (plain `Error`) when placeholders and parameters differ.
 */
export function defineQuery<P extends z.ZodRawShape, R extends z.ZodType>(definition: {
  file: URL;
  params: z.ZodObject<P>;
  row: R;
}): Query<z.output<z.ZodObject<P>>, z.output<R>> {
  const path = fileURLToPath(definition.file);
  const sql = readFileSync(path, 'utf8');
  const found = placeholders(sql).sort();
  const declared = Object.keys(definition.params.shape).sort();
  invariant(
    found.join() === declared.join(),
    `${basename(path)} has the placeholders [${found.join(', ')}] but its parameters are [${declared.join(', ')}]`,
  );
  return {
    name: basename(path, '.sql'),
    sql,
    params: definition.params as unknown as z.ZodType<z.output<z.ZodObject<P>>>,
    row: definition.row as unknown as z.ZodType<z.output<R>>,
  };
}

/** Parameters of a query that has none. */
export const noParams = z.object({});
