import { Refusal } from './exceptions.ts';

/** What one statement of a reader may cost. */
export interface ReaderLimits {
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly resultRows: number;
  readonly resultBytes: number;
  readonly threads: number;
  /** Statements at once in all, and of one tenant. */
  readonly running: number;
  readonly runningPerTenant: number;
}

export const defaultReaderLimits: ReaderLimits = {
  seconds: 30,
  memoryBytes: 256 * 1024 * 1024,
  resultRows: 1_000_000,
  resultBytes: 128 * 1024 * 1024,
  threads: 2,
  running: 4,
  runningPerTenant: 2,
};

/** Settings that say how an answer is written. */
const writing =
  /^(?:output_format_(?:json|csv|tsv|pretty|parquet|arrow|native|decimal)_\w+|date_time_output_format|session_timezone|extremes|output_format_write_statistics|format_csv_delimiter|bool_(?:true|false)_representation)$/;
/** Limits that a caller may lower. */
const lowered: Readonly<Record<string, (limits: ReaderLimits) => number>> = {
  max_execution_time: ({ seconds }) => seconds,
  max_memory_usage: ({ memoryBytes }) => memoryBytes,
  max_result_rows: ({ resultRows }) => resultRows,
  max_result_bytes: ({ resultBytes }) => resultBytes,
  max_threads: ({ threads }) => threads,
};
/** Asked for by clients as a matter of course; the answer is as if they had not. */
const withoutEffect = new Set([
  'readonly',
  'max_block_size',
  'join_use_nulls',
  'result_overflow_mode',
  'workload',
  'log_comment',
  'implicit_select',
  'max_insert_block_size',
  'async_insert',
  'wait_for_async_insert',
]);

/**
 * Settings under which a reader's statement runs: the fixed ones, and of the caller's those that only change how the answer is written or lower a limit.
 *
 * *Errors* {@link Refusal} 164 for every other setting.
 */
export function readerSettings(asked: ReadonlyMap<string, string>, limits: ReaderLimits): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [name, value] of asked) {
    const limit = lowered[name]?.(limits);
    if (limit !== undefined) {
      const number = Number(value);
      if (!Number.isFinite(number) || number < 0) throw new Refusal(36, 'BAD_ARGUMENTS', `setting ${name} is a number`);
      // 0 means no limit to the engine.
      settings.set(name, String(number === 0 ? limit : Math.min(number, limit)));
    } else if (writing.test(name)) settings.set(name, value);
    else if (!withoutEffect.has(name))
      throw new Refusal(164, 'READONLY', `Cannot modify '${name}' setting in readonly mode`);
  }
  for (const [name, limit] of Object.entries(lowered))
    if (!settings.has(name)) settings.set(name, String(limit(limits)));
  const fixed = {
    result_overflow_mode: 'throw',
    max_query_size: '1048576',
    max_ast_elements: '20000',
    max_expanded_ast_elements: '100000',
    max_subquery_depth: '50',
    max_rows_in_join: '20000000',
    allow_ddl: '0',
    allow_introspection_functions: '0',
    allow_experimental_time_series_aggregate_functions: '1',
    do_not_merge_across_partitions_select_final: '1',
    max_threads_min_free_memory_per_thread: String(32 * 1024 * 1024),
    os_threads_nice_value_query: '5',
    readonly: '1',
  };
  for (const [name, value] of Object.entries(fixed)) settings.set(name, value);
  return settings;
}

/** Further settings of a tenant's statement: the filters, and nothing that would run its own expressions before them or tell how much was read. */
export const tenantSettings = (filters: string): ReadonlyMap<string, string> =>
  new Map([
    ['additional_table_filters', filters],
    ['query_plan_merge_filters', '0'],
    ['optimize_move_to_prewhere', '0'],
    ['output_format_write_statistics', '0'],
  ]);
