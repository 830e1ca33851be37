import { invariant } from '../../contract/index.ts';
import type { EngineSession, EngineSessions } from '../engine-sessions.ts';
import { literal } from './text-parameters.ts';

/** What a tenant may read: rows of telemetry, usage and what is computed from them. The ledger, the log's positions and the letters that nobody could read are the operator's. */
export const tenantTables = [
  'samples',
  'series',
  'histograms',
  'exponential_histograms',
  'summaries',
  'exemplars',
  'spans',
  'log_records',
  'usage_events',
  'usage_conflicts',
  'series_hour',
  'series_minute',
  'usage_hour',
  'billing_facts',
  'sla_hour',
  'tenants',
] as const;
/** Views over those; the filters are those of the tables beneath. */
export const tenantViews = ['otel_traces', 'otel_logs'] as const;

const database = 'default';
/** Databases in memory with the lists of databases, tables and columns that a caller may know of. */
export const operatorCatalogue = 'pulse_catalogue';
export const tenantCatalogue = 'pulse_tenant_catalogue';
const lists = ['databases', 'tables', 'columns'] as const;
export const catalogueTables = (catalogue: string) => new Set(lists.map((list) => `${catalogue}.${list}`));

/** Names and filters as they stand now. */
export interface ReaderCatalogue {
  /** Every table and view of the database. */
  readonly existing: ReadonlySet<string>;
  /** Of each table: has it a column `tenant`; views are not among them. */
  readonly hasTenant: ReadonlyMap<string, boolean>;
}

const listed = (names: readonly string[] | null) => (names === null ? '1' : `IN (${names.map(literal).join()})`);

/** Views without sizes, paths and row counts, which would tell of others. */
function catalogueViews(catalogue: string, names: readonly string[] | null): string[] {
  const among = (column: string) => (names === null ? '1' : `${column} ${listed(names)}`);
  return [
    `CREATE DATABASE IF NOT EXISTS ${catalogue} ENGINE = Memory`,
    `CREATE OR REPLACE VIEW ${catalogue}.databases AS SELECT name, engine, comment FROM system.databases WHERE name = '${database}'`,
    `CREATE OR REPLACE VIEW ${catalogue}.tables AS SELECT database, name, engine, toUInt8(0) AS is_temporary, sorting_key, primary_key, CAST(NULL, 'Nullable(UInt64)') AS total_rows, CAST(NULL, 'Nullable(UInt64)') AS total_bytes, comment
 FROM system.tables WHERE database = '${database}' AND ${among('name')}`,
    `CREATE OR REPLACE VIEW ${catalogue}.columns AS SELECT database, table, name, type, position, default_kind, default_expression, comment, is_in_sorting_key, is_in_primary_key
 FROM system.columns WHERE database = '${database}' AND ${among('table')}`,
  ];
}

/** Makes the catalogues; they are in memory and gone with the process. */
export async function makeCatalogues(session: EngineSession): Promise<void> {
  const statements = [
    ...catalogueViews(operatorCatalogue, null),
    ...catalogueViews(tenantCatalogue, [...tenantTables, ...tenantViews]),
  ];
  for (const statement of statements) {
    // Databases in memory cannot replace a view.
    const drop = /^CREATE OR REPLACE VIEW (\S+)/.exec(statement)?.[1];
    if (drop !== undefined) await session.run(`DROP VIEW IF EXISTS ${drop}`);
    await session.run(statement.replace('CREATE OR REPLACE VIEW', 'CREATE VIEW'));
  }
}

/** Reads what there is. */
export async function readCatalogue(session: EngineSession): Promise<ReaderCatalogue> {
  const { bytes } = await session.run(
    `SELECT name, engine LIKE '%View', name IN (SELECT table FROM system.columns WHERE database = '${database}' AND name = 'tenant' AND type = 'UInt32') FROM system.tables WHERE database = '${database}'`,
    'TSVRaw',
  );
  const rows = Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
  return {
    existing: new Set(rows.map(([name = '']) => name)),
    hasTenant: new Map(rows.filter(([, view]) => view === '0').map(([name = '', , tenant]) => [name, tenant === '1'])),
  };
}

/** The engine's setting that leaves of every table the rows of one tenant, and none of tables that do not know tenants. */
export function tenantFilters(catalogue: ReaderCatalogue, tenant: number): string {
  invariant(Number.isSafeInteger(tenant) && tenant > 0 && tenant < 2 ** 32, 'a tenant has an engine number');
  for (const table of tenantTables) {
    invariant(
      !catalogue.existing.has(table) || catalogue.hasTenant.get(table) === true,
      `table ${table} has no column tenant`,
    );
  }
  const filters = [...catalogue.hasTenant].map(
    ([table, has]) => `${literal(`${database}.${table}`)}: ${literal(has ? `tenant = ${tenant}` : '0')}`,
  );
  return `{${filters.join(', ')}}`;
}

/** A catalogue that is read again after `maxAgeMs`, so that a table made since is not unknown for long. */
export function createCatalogueCache(
  sessions: EngineSessions,
  maxAgeMs: number,
): (session: EngineSession) => Promise<ReaderCatalogue> {
  let made: Promise<void> | undefined;
  let known: { readonly at: number; readonly catalogue: ReaderCatalogue } | undefined;
  const makeOnce = () => {
    made ??= (async () => {
      const session = sessions.open();
      try {
        await makeCatalogues(session);
      } finally {
        session.close();
      }
    })().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  return async (session) => {
    await makeOnce();
    if (known === undefined || performance.now() - known.at > maxAgeMs) {
      known = { at: performance.now(), catalogue: await readCatalogue(session) };
    }
    return known.catalogue;
  };
}
