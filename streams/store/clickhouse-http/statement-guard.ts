import type { AstNode } from './ast-text.ts';
import { Refusal } from './exceptions.ts';

/** What a caller may read. */
export interface ReadingRights {
  /** Tables by name in the database that unqualified names mean. */
  readonly tables: ReadonlySet<string>;
  /** The names of everything in that database: what is there and not among `tables` is refused, whatever else carries the name. */
  readonly existing: ReadonlySet<string>;
  readonly database: string;
  /** Further tables, qualified. */
  readonly qualified: ReadonlySet<string>;
  /** Columns that the engine makes up (`_part`, `_part_offset`, …) tell of rows that are not the caller's. */
  readonly virtualColumns: boolean;
  readonly functions: (name: string) => boolean;
}

/** What a statement that passed is. */
export interface CheckedStatement {
  readonly kind: 'select' | 'describe' | 'exists';
  /** Of its FORMAT clause. */
  readonly format: string | null;
}

/** Kinds of nodes that say nothing about tables, files or settings. Everything else that the engine knows, or will know, is refused. */
const plainKinds = new Set([
  'SelectIntersectExceptQuery',
  'SelectQuery',
  'ExpressionList',
  'TablesInSelectQuery',
  'TablesInSelectQueryElement',
  'TableJoin',
  'ArrayJoin',
  'Asterisk',
  'QualifiedAsterisk',
  'ColumnsTransformerList',
  'ColumnsExceptTransformer',
  'ColumnsReplaceTransformer',
  'ColumnsReplaceTransformer::Replacement',
  'ColumnsRegexpMatcher',
  'ColumnsListMatcher',
  'Subquery',
  'WithElement',
  'OrderByElement',
  'WindowDefinition',
  'WindowListElement',
  'InterpolateElement',
]);
const leafKinds = new Set(['Literal', 'Identifier', 'TableIdentifier']);
/** Functions whose second argument may be the name of a table. */
const membership = new Set([
  'in',
  'notin',
  'globalin',
  'globalnotin',
  'nullin',
  'notnullin',
  'globalnullin',
  'globalnotnullin',
]);

const readonly = (message: string) => new Refusal(164, 'READONLY', message);
const denied = (message: string) => new Refusal(497, 'ACCESS_DENIED', message);

/**
 * Checks a statement by the tree that the engine itself makes of it. Only what is known to be harmless passes.
 *
 * *Errors* {@link Refusal}: 164 for statements that do not read and for settings, 497 for tables, table functions and columns, 46 for functions.
 */
export function checkStatement(root: AstNode, rights: ReadingRights): CheckedStatement {
  if (root.kind === 'SelectWithUnionQuery') {
    const [list, ...others] = root.children;
    const format = others.length === 1 && others[0]?.kind === 'Identifier' ? others[0].text : null;
    if (list?.kind !== 'ExpressionList' || others.length !== (format === null ? 0 : 1)) {
      throw readonly('only SELECT … [FORMAT …] is served: no SETTINGS, no INTO OUTFILE');
    }
    visit(list, rights);
    return { kind: 'select', format };
  }
  if (root.kind === 'DescribeQuery') {
    const [table, ...others] = root.children;
    const format = others.length === 1 && others[0]?.kind === 'Identifier' ? others[0].text : null;
    if (table?.kind !== 'TableExpression' || others.length !== (format === null ? 0 : 1))
      throw readonly('only DESCRIBE of a table or a subquery is served');
    visit(table, rights);
    return { kind: 'describe', format };
  }
  if (root.kind === 'ExistsTableQuery' || root.kind === 'ExistsViewQuery') {
    const names = root.children.map(({ text }) => text);
    if (root.children.some(({ kind, children }) => kind !== 'Identifier' || children.length > 0))
      throw readonly('only EXISTS TABLE name is served');
    checkTable(names.join('.'), rights);
    return { kind: 'exists', format: null };
  }
  throw readonly('only SELECT, DESCRIBE TABLE, EXISTS TABLE, SHOW TABLES and SHOW DATABASES are served here');
}

function visit(node: AstNode, rights: ReadingRights): void {
  const { kind, children } = node;
  if (leafKinds.has(kind)) {
    if (children.length > 0) throw denied('the statement has a form that is not served');
    if (kind === 'Identifier') checkColumn(node.text, rights);
    // A table's name outside of FROM: nothing that is served has one.
    if (kind === 'TableIdentifier') throw denied('tables are named after FROM or JOIN only');
    return;
  }
  if (kind === 'TableExpression') {
    visitTableExpression(node, rights);
    return;
  }
  if (kind === 'SelectWithUnionQuery') {
    if (children.length !== 1) throw readonly('FORMAT, SETTINGS and INTO OUTFILE have no place in a subquery');
  } else if (kind === 'Function') checkFunction(node, rights);
  else if (!plainKinds.has(kind)) throw refusedKind(kind);
  for (const child of children) visit(child, rights);
}

function refusedKind(kind: string): Refusal {
  if (kind === 'Set') return readonly('settings are fixed here: leave SETTINGS out');
  return readonly(`${kind} is not served here`);
}

function visitTableExpression({ children }: AstNode, rights: ReadingRights): void {
  const [source, ...others] = children;
  if (source === undefined || others.length > 0) throw denied('SAMPLE is not served here');
  if (source.kind === 'TableIdentifier' && source.children.length === 0) checkTable(source.text, rights);
  else if (source.kind === 'Subquery') visit(source, rights);
  else throw denied('table functions are not served: name a table or write a subquery');
}

function checkTable(name: string, rights: ReadingRights): void {
  const parts = name.split('.');
  const [table = ''] = parts.slice(-1);
  if (parts.length === 1) {
    // The name of a common table expression, or of nothing at all.
    if (rights.tables.has(table) || !rights.existing.has(table)) return;
  } else if (
    parts.length === 2 &&
    ((parts[0] === rights.database && rights.tables.has(table)) || rights.qualified.has(name))
  )
    return;
  throw denied(`there is no table ${name.slice(0, 100)} that you may read`);
}

function checkColumn(name: string, rights: ReadingRights): void {
  if (!rights.virtualColumns && name.split('.').some((part) => part.startsWith('_'))) {
    throw denied(`there is no column ${name.slice(0, 100)} that you may read`);
  }
}

function checkFunction({ text, children }: AstNode, rights: ReadingRights): void {
  if (!rights.functions(text))
    throw new Refusal(46, 'UNKNOWN_FUNCTION', `function ${text.slice(0, 100)} is not served here`);
  if (!membership.has(text.toLowerCase())) return;
  const list = children[0]?.children[1];
  if (list?.kind === 'TableIdentifier') throw denied('write IN (SELECT … FROM table)');
  // `x IN name` reads a whole table when it finds no column or alias of the name.
  if (list?.kind === 'Identifier' && (rights.existing.has(list.text) || list.text.includes('.')))
    throw denied('write IN (SELECT … FROM table)');
}
