import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { EngineSessions } from '../engine-sessions.ts';
import { Refusal } from './exceptions.ts';
import { formatClause, isPiecewise } from './formats.ts';
import { type HttpQuery, plainBody, readText } from './http-query.ts';
import type { StatementService } from './listener.ts';
import type { StatementRunner } from './statement-runner.ts';
import { fillPlaceholders, literal } from './text-parameters.ts';

/** A statement with its values, such as a list of keys. */
const statementBytes = 256 * 1024 * 1024;
/** The data of one insert, before compression. */
const insertBytes = 1024 * 1024 * 1024;

/** `INSERT INTO t (a, b) SETTINGS x = 1 FORMAT Native`, whose data are the body. */
const insertWithData =
  /^(?<target>\s*INSERT\s+INTO\s[\s\S]+?)(?<settings>\s+SETTINGS\s[\s\S]+?)?(?<format>\s+FORMAT\s+\w+)\s*$/i;
const insertValues = /^(?<target>\s*INSERT\s+INTO\s[\s\S]+?)\s+VALUES\s*$/i;

const readingStatement = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/|\()*(?:SELECT|WITH)\b/i;

/** The statement that reads the body from a file; null when the statement takes no body. */
export function insertFromFile(sql: string, file: string): string | null {
  const values = insertValues.exec(sql)?.groups;
  if (values !== undefined) return `${values['target']} FROM INFILE ${literal(file)} FORMAT Values`;
  const parts = insertWithData.exec(sql)?.groups;
  if (parts === undefined || /\bSELECT\b/i.test(parts['target'] ?? '')) return null;
  return `${parts['target']} FROM INFILE ${literal(file)}${parts['settings'] ?? ''}${parts['format']}`;
}

/**
 * Statements of other processes of Pulse, as their ClickHouse server: the operator's token may do anything the engine can.
 *
 * *Shape* the body of an insert goes to a file and from there into the engine, as bytes.
 */
export function createReadWriteService(options: {
  readonly runner: StatementRunner;
  readonly sessions: EngineSessions;
}): StatementService {
  const { runner, sessions } = options;

  async function insertBody(request: IncomingMessage, query: HttpQuery) {
    if (request.method !== 'POST' || query.query === '') return null;
    const file = sessions.blockFile();
    const sql = insertFromFile(fillPlaceholders(query.query, query.params), file);
    if (sql === null) return null;
    await pipeline(plainBody(request, insertBytes), createWriteStream(file, { flags: 'wx' }));
    return { sql, file };
  }

  return {
    async serve({ request, query, principal, signal }, use) {
      if (principal.role !== 'operator')
        throw new Refusal(497, 'ACCESS_DENIED', 'this store serves processes of Pulse: the operator token only');
      const data = await insertBody(request, query);
      try {
        const read = data === null ? await readText(request, query, statementBytes) : null;
        const sql = data?.sql ?? fillPlaceholders(read?.text ?? '', read?.params ?? new Map());
        if (sql.trim() === '') throw new Refusal(62, 'SYNTAX_ERROR', 'Empty query');
        const format = formatClause(sql) ?? query.format ?? 'TabSeparated';
        const settings = new Map([['max_query_size', String(statementBytes)], ...query.settings]);
        // As servers do: a GET changes nothing.
        if (query.method === 'GET') settings.set('readonly', '1');
        const streams = !query.waitsForEnd && isPiecewise(format) && readingStatement.test(sql);
        await runner.withSession(
          async (session) => {
            const statement = { sql, format, database: query.database ?? 'default', settings, streams };
            const answer = await runner.run(session, statement, signal);
            await use({ ...answer, format, ...(data === null ? {} : { written: answer.rows ?? 0 }) });
          },
          signal,
          streams,
        );
      } finally {
        if (data !== null) await rm(data.file, { force: true });
      }
    },
  };
}
