import type { QueryOptions } from './port.ts';

/** Seconds of the engine that a read may take. */
export const defaultTimeoutSeconds = 30;
const defaultQueryMemoryBytes = 320 * 1024 * 1024;
/** Rows of a block while reading: FINAL holds a block of every column of every part, and 100 day partitions at the default size need more than the engine may use. */
const readBlockRows = 8192;
/** Memory that must be free for each thread of a read. The engine's default of 1 GiB is more than this process may use, and would leave every read a single thread. */
const threadBytes = 32 * 1024 * 1024;
/** An insert of the largest block; past it something is wrong with the disk. */
export const insertTimeoutSeconds = 120;

/** Constant settings of every read. They stand in the statement because client settings stick to an embedded connection. */
function readSettings(options: QueryOptions | undefined): string {
  return [
    'output_format_json_quote_64bit_integers=1',
    'output_format_json_quote_decimals=1',
    `max_threads_min_free_memory_per_thread=${threadBytes}`,
    'do_not_merge_across_partitions_select_final=1',
    `max_block_size=${readBlockRows}`,
    `max_execution_time=${options?.timeoutSeconds ?? defaultTimeoutSeconds}`,
    `max_memory_usage=${options?.maxMemoryBytes ?? defaultQueryMemoryBytes}`,
    ...effortSettings(options),
  ].join(', ');
}

/** The nice value needs CAP_SYS_NICE; without it the engine leaves it. */
function effortSettings(options: QueryOptions | undefined): string[] {
  if (options?.isBackground === true)
    return ['max_threads=1', 'max_insert_threads=1', 'os_threads_nice_value_query=10'];
  return options?.maxThreads === undefined ? [] : [`max_threads=${options.maxThreads}`];
}

const withoutTrailer = (sql: string) => sql.replace(/[;\s]+$/, '');

/** A read with its constant settings, answered as JSON a row. */
export const readStatement = (sql: string, options: QueryOptions | undefined) =>
  `${withoutTrailer(sql)}\nFORMAT JSONEachRow SETTINGS ${readSettings(options)}`;

/** A read over the rows of `keysTable`, a table expression, as table `keys`. */
export const withKeys = (sql: string, keysTable: string) => `WITH keys AS (SELECT * FROM ${keysTable})\n${sql}`;

/** Settings of `INSERT … SELECT` given to `execute`; other statements have no place for settings. */
export function writeStatement(sql: string, options: QueryOptions | undefined): string {
  const statement = withoutTrailer(sql);
  if (!/^(?:\s|--[^\n]*\n)*INSERT\s/i.test(statement)) return statement;
  const settings = [
    'optimize_on_insert=0',
    'max_partitions_per_insert_block=0',
    'do_not_merge_across_partitions_select_final=1',
    `max_block_size=${readBlockRows}`,
    `max_execution_time=${options?.timeoutSeconds ?? insertTimeoutSeconds}`,
    `max_memory_usage=${options?.maxMemoryBytes ?? defaultQueryMemoryBytes}`,
    ...effortSettings(options),
  ];
  return `${statement}\nSETTINGS ${settings.join(', ')}`;
}

/** Settings of the insert of a block under a token. */
export const blockSettings = (token: string) =>
  `insert_deduplication_token=${quoted(token)}, optimize_on_insert=0, max_insert_block_size=1000000,
 max_partitions_per_insert_block=0, max_insert_threads=1, max_execution_time=${insertTimeoutSeconds}`;

/** A string literal of the engine. */
export const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** A name of the engine; what cannot stand in one is left out. */
export const identifier = (name: string) => `\`${name.replaceAll('`', '')}\``;
