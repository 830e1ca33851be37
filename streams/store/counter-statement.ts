import { AppError } from '../contract/index.ts';
import type { QueryOptions, Store } from './port.ts';

/** FUNCTION_THROW_IF_VALUE_IS_NON_ZERO: a counter fell or has a second start. */
const notPlainCode = '395';

/**
 * Runs an `INSERT … SELECT` with `counter_steps` in it, first with `counter_plain_steps` in its place: the engine takes a fifth of a second to read the whole rule, which is kept for data in which a counter
 * fell or has a second start. What the first attempt had written before it met those is written again, under the same keys.
 *
 * *Errors* those of the store.
 */
export async function executeCounterStatement(
  store: Pick<Store, 'execute'>,
  sql: string,
  params: Readonly<Record<string, unknown>>,
  options: QueryOptions,
): Promise<void> {
  try {
    await store.execute(sql.replaceAll('counter_steps(', 'counter_plain_steps('), params, options);
  } catch (error) {
    if (!(error instanceof AppError) || error.context['engineCode'] !== notPlainCode) throw error;
    await store.execute(sql, params, options);
  }
}
