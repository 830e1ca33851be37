import { readFileSync } from 'node:fs';
import type * as cog from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';

/** The data source of every panel; `provisioning/datasources/pulse.yaml` makes it under this uid. */
export const pulseSource: DataSourceRef = { type: 'grafana-clickhouse-datasource', uid: 'pulse-clickhouse' };

/** How the data source shapes an answer. `time-series` turns text columns into the labels of series. */
export type QueryFormat = 'time-series' | 'table' | 'logs';

/** *Source* grafana/clickhouse-datasource, src/types/sql.ts and src/data/utils.ts. */
const formats: Readonly<Record<QueryFormat, { readonly format: number; readonly queryType: string }>> = {
  'time-series': { format: 0, queryType: 'timeseries' },
  table: { format: 1, queryType: 'table' },
  logs: { format: 2, queryType: 'logs' },
};

/** A target of a panel as Grafana stores it; the foundation SDK has no type for this data source. */
export interface ClickHouseQuery extends cog.Dataquery {
  readonly refId: string;
  readonly datasource: DataSourceRef;
  readonly editorType: 'sql';
  readonly queryType: string;
  readonly format: number;
  readonly rawSql: string;
}

/** A `.sql` file without its header of comments: Grafana would look for macros in them. */
export function readSql(file: URL): string {
  return readFileSync(file, 'utf8')
    .replace(/^(?:--[^\n]*\n)+/, '')
    .trimEnd();
}

/** The query of a panel, from a `.sql` file. */
export function clickHouseQuery(file: URL, format: QueryFormat): cog.Builder<cog.Dataquery> {
  const query: Omit<ClickHouseQuery, '_implementsDataqueryVariant'> = {
    refId: 'A',
    datasource: pulseSource,
    editorType: 'sql',
    ...formats[format],
    rawSql: readSql(file),
  };
  // The SDK marks its query types by a method that Grafana's JSON does not have.
  return { build: () => query as unknown as cog.Dataquery };
}
