import type { z } from 'zod';
import { AppError } from '../contract/index.ts';

/** A row of an answer by the query's schema. *Errors* `store.row_invalid` naming the column. */
export function parseRow<R>(query: { name: string; row: z.ZodType<R> }, line: string): R {
  const parsed = query.row.safeParse(JSON.parse(line));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new AppError('store.row_invalid', `${query.name}: column ${field}: ${issue?.message ?? 'unexpected row'}`, {
    field,
    context: { query: query.name },
  });
}

/** Values of a query's placeholders by its schema. *Errors* `store.params_invalid` naming the parameter. */
export function parseParams<P>(query: { name: string; params: z.ZodType<P> }, params: P): Record<string, unknown> {
  const parsed = query.params.safeParse(params);
  if (parsed.success) return parsed.data as Record<string, unknown>;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new AppError('store.params_invalid', `${query.name}: parameter ${field}: ${issue?.message ?? 'invalid'}`, {
    field,
    context: { query: query.name },
  });
}
