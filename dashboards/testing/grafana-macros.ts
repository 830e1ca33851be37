/** What Grafana knows when it sends a panel's query. *Units* milliseconds since the epoch; `intervalMs` is the step that it works out for a panel. */
export interface GrafanaScope {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  readonly variables?: Readonly<Record<string, string>>;
}

type Macro = (scope: GrafanaScope, argument: string) => string;

const dateTime = (ms: number) => `toDateTime(${Math.floor(ms / 1000)})`;
const dateTime64 = (ms: number) => `fromUnixTimestamp64Milli(${ms})`;
const intervalSeconds = (scope: GrafanaScope) => Math.floor(Math.max(scope.intervalMs / 1000, 1));

/** The plugin's macros that the dashboards use; one that is not here is an error. *Source* grafana/clickhouse-datasource, pkg/macros/macros.go. */
const macros: Readonly<Record<string, { readonly arguments: 0 | 1; readonly expand: Macro }>> = {
  fromTime: { arguments: 0, expand: (scope) => dateTime(scope.fromMs) },
  toTime: { arguments: 0, expand: (scope) => dateTime(scope.toMs) },
  fromTime_ms: { arguments: 0, expand: (scope) => dateTime64(scope.fromMs) },
  toTime_ms: { arguments: 0, expand: (scope) => dateTime64(scope.toMs) },
  timeFilter: {
    arguments: 1,
    expand: (scope, column) => `${column} >= ${dateTime(scope.fromMs)} AND ${column} <= ${dateTime(scope.toMs)}`,
  },
  timeFilter_ms: {
    arguments: 1,
    expand: (scope, column) => `${column} >= ${dateTime64(scope.fromMs)} AND ${column} <= ${dateTime64(scope.toMs)}`,
  },
  timeInterval: {
    arguments: 1,
    expand: (scope, column) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${intervalSeconds(scope)} second)`,
  },
  interval_s: { arguments: 0, expand: (scope) => String(intervalSeconds(scope)) },
};

/** The end of a parenthesis that opens at `open`. */
function closing(sql: string, open: number): number {
  let depth = 0;
  for (let at = open; at < sql.length; at++) {
    if (sql[at] === '(') depth += 1;
    if (sql[at] === ')' && --depth === 0) return at;
  }
  throw new Error(`a macro's parenthesis is never closed: ${sql.slice(open, open + 40)}`);
}

/** Variables as Grafana writes them into a query: `${name:sqlstring}` quotes the value and doubles its quotes, `${name}` takes it as it is. */
function withVariables(sql: string, variables: Readonly<Record<string, string>>): string {
  return sql.replaceAll(/\$\{(\w+)(?::(\w+))?\}/g, (text, name: string, format: string | undefined) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`the variable ${name} has no value`);
    if (format === undefined) return value;
    if (format === 'sqlstring') return `'${value.replaceAll("'", "''")}'`;
    throw new Error(`${text}: only :sqlstring is known here`);
  });
}

/**
 * A panel's SQL as the ClickHouse data source sends it: variables first (in the browser), then macros (in Grafana's server).
 *
 * *Errors* plain errors for a macro or variable that is not known, a wrong number of arguments, an open parenthesis.
 */
export function expandMacros(sql: string, scope: GrafanaScope): string {
  let text = withVariables(sql, scope.variables ?? {});
  // The last macro first: one in the argument of another is then a text with parentheses, which is refused below.
  for (let at = text.lastIndexOf('$__'); at !== -1; at = text.lastIndexOf('$__')) {
    const name = /^\w+/.exec(text.slice(at + 3))?.[0] ?? '';
    const macro = macros[name];
    if (macro === undefined) throw new Error(`the macro $__${name} is not known`);
    const after = at + 3 + name.length;
    const end = text[after] === '(' ? closing(text, after) : after - 1;
    const argument = text.slice(after + 1, end).trim();
    // Older versions of the plugin end an argument at the first parenthesis, so a dashboard for all of them has none in there.
    if (/[()]/.test(argument)) throw new Error(`$__${name}: the argument ${argument} has a parenthesis`);
    if ((argument === '' ? 0 : 1) !== macro.arguments)
      throw new Error(`$__${name} takes ${macro.arguments} argument(s)`);
    text = text.slice(0, at) + macro.expand(scope, argument) + text.slice(end + 1);
  }
  return text;
}
