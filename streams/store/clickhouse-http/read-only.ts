import type { Principal, TenantDirectory } from '../../access/port.ts';
import type { EngineSession, EngineSessions } from '../engine-sessions.ts';
import { readAllowedFunctions } from './allowed-functions.ts';
import { createCallerLimits } from './caller-limits.ts';
import { canonicalText, explainAst, withCatalogue } from './canonical-statement.ts';
import { Refusal } from './exceptions.ts';
import { isPiecewise } from './formats.ts';
import { type HttpQuery, readText } from './http-query.ts';
import type { StatementService } from './listener.ts';
import {
  catalogueTables,
  createCatalogueCache,
  operatorCatalogue,
  type ReaderCatalogue,
  tenantCatalogue,
  tenantFilters,
  tenantTables,
  tenantViews,
} from './reader-catalogue.ts';
import { type ReaderLimits, readerSettings, tenantSettings } from './reader-settings.ts';
import { type CheckedStatement, checkStatement, type ReadingRights } from './statement-guard.ts';
import type { StatementRunner } from './statement-runner.ts';
import { fillPlaceholders } from './text-parameters.ts';

/** The text of a statement, of people and dashboards. */
const statementBytes = 1024 * 1024;
const catalogueAgeMs = 5000;
const database = 'default';

/** Statements that clients send when they connect, with an answer that tells nothing of the machine. */
const answered: ReadonlyMap<string, string> = new Map([
  [
    'SELECT displayName(), version(), revision(), timezone()',
    "SELECT 'pulse' AS `displayName()`, version(), revision(), timezone()",
  ],
  ['SELECT timezone()', 'SELECT timezone()'],
  ['SELECT timeZone()', 'SELECT timezone() AS `timeZone()`'],
  ['SHOW DATABASES', 'SELECT name FROM system.databases ORDER BY name'],
  ['SHOW TABLES', 'SELECT name FROM system.tables ORDER BY name'],
  ['SHOW TABLES FROM default', 'SELECT name FROM system.tables ORDER BY name'],
]);

/** Whose rows a statement may read: null is everybody's. */
interface Reader {
  readonly caller: string;
  readonly tenant: number | null;
}

/**
 * Statements of people and dashboards: reading only, an operator everything that the tables hold, a tenant its own rows.
 *
 * *Shape* a statement is written anew by the engine, checked by the engine's own tree of it against what is known to be harmless, and that text runs in a session that is read-only,
 * bounded, and for a tenant filtered on every table.
 */
export function createReadOnlyService(options: {
  readonly runner: StatementRunner;
  readonly sessions: EngineSessions;
  readonly tenants: Pick<TenantDirectory, 'byId'>;
  readonly limits: ReaderLimits;
}): StatementService {
  const { runner, limits } = options;
  const catalogueOf = createCatalogueCache(options.sessions, catalogueAgeMs);
  const callers = createCallerLimits(limits.runningPerTenant);
  const functions = readAllowedFunctions();

  function rightsOf(reader: Reader, catalogue: ReaderCatalogue): ReadingRights {
    const isTenant = reader.tenant !== null;
    return {
      tables: isTenant ? new Set<string>([...tenantTables, ...tenantViews]) : catalogue.existing,
      existing: catalogue.existing,
      database,
      qualified: catalogueTables(isTenant ? tenantCatalogue : operatorCatalogue),
      virtualColumns: !isTenant,
      functions,
    };
  }

  async function check(
    session: EngineSession,
    text: string,
    reader: Reader,
    catalogue: ReaderCatalogue,
  ): Promise<CheckedStatement & { readonly sql: string }> {
    const canonical = await canonicalText(session, text);
    const isTenant = reader.tenant !== null;
    const sql = withCatalogue(
      answered.get(canonical) ?? canonical,
      isTenant ? tenantCatalogue : operatorCatalogue,
      !isTenant,
    );
    return { ...checkStatement(await explainAst(session, sql), rightsOf(reader, catalogue)), sql };
  }

  return {
    async serve({ request, query, principal, signal }, use) {
      const reader = readerOf(principal, options.tenants);
      if (query.database !== null && query.database !== database)
        throw new Refusal(81, 'UNKNOWN_DATABASE', `Database ${query.database.slice(0, 60)} does not exist`);
      const leave = callers.enter(reader.caller);
      try {
        const { text, params } = await readText(request, query, statementBytes);
        const filled = fillPlaceholders(text, params).replace(/[;\s]+$/, '');
        if (filled.trim() === '') throw new Refusal(62, 'SYNTAX_ERROR', 'Empty query');
        const settings = readerSettings(query.settings, limits);
        await runner.withSession(async (session) => {
          const catalogue = await catalogueOf(session);
          const { sql, format: named } = await check(session, filled, reader, catalogue);
          if (reader.tenant !== null) {
            for (const [name, value] of tenantSettings(tenantFilters(catalogue, reader.tenant)))
              settings.set(name, value);
          }
          const format = named ?? query.format ?? 'TabSeparated';
          const statement = {
            sql,
            format: checkFormat(format),
            database,
            settings,
            streams: streams(query, format, sql),
          };
          await use({ ...(await runner.run(session, statement, signal)), format });
        }, signal);
      } finally {
        leave();
      }
    },
  };
}

function readerOf(principal: Principal, tenants: Pick<TenantDirectory, 'byId'>): Reader {
  if (principal.role === 'operator') return { caller: principal.id, tenant: null };
  const tenant = principal.tenantId === null ? undefined : tenants.byId(principal.tenantId);
  if (principal.role !== 'tenant' || tenant === undefined) {
    throw new Refusal(497, 'ACCESS_DENIED', 'this interface serves the operator and keys of tenants');
  }
  return { caller: `tenant ${tenant.number}`, tenant: tenant.number };
}

const streams = (query: HttpQuery, format: string, sql: string) =>
  !query.waitsForEnd && isPiecewise(format) && /^\(*(?:SELECT|WITH)\b/.test(sql);

/** Formats that write something else than what was asked for, or need files of a schema. */
const refusedFormats = new Set([
  'null',
  'mysqlwire',
  'postgresqlwire',
  'odbcdriver2',
  'sqlinsert',
  'template',
  'customseparated',
  'protobuf',
  'protobufsingle',
  'protobuflist',
  'capnproto',
  'mysqldump',
]);

function checkFormat(format: string): string {
  if (/^\w{1,64}$/.test(format) && !refusedFormats.has(format.toLowerCase())) return format;
  throw new Refusal(73, 'UNKNOWN_FORMAT', `Unknown format ${format.slice(0, 60)}`);
}
