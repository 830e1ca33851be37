import { describe, expect, test } from 'vitest';
import { readAllowedFunctions } from './allowed-functions.ts';
import { parseAst } from './ast-text.ts';
import { withCatalogue } from './canonical-statement.ts';
import { checkStatement, type ReadingRights } from './statement-guard.ts';
import { fillPlaceholders } from './text-parameters.ts';

const rights: ReadingRights = {
  tables: new Set(['samples']),
  existing: new Set(['samples', 'touched']),
  database: 'default',
  qualified: new Set(['pulse_catalogue.tables']),
  virtualColumns: false,
  functions: readAllowedFunctions(),
};
const select = (...inner: string[]) =>
  ['SelectWithUnionQuery (children 1)', ' ExpressionList (children 1)', ...inner].join('\n');
const from = (source: string) =>
  select(
    '  SelectQuery (children 2)',
    '   ExpressionList (children 1)',
    '    Asterisk',
    '   TablesInSelectQuery (children 1)',
    '    TablesInSelectQueryElement (children 1)',
    '     TableExpression (children 1)',
    `      ${source}`,
  );
const check = (text: string) => checkStatement(parseAst(text), rights);

describe('the tree of a statement', () => {
  test('is read with aliases and counts, and refused when lines and counts disagree', () => {
    const node = parseAst(
      'Function f (alias a b) (children 1)\n ExpressionList (children 1)\n  Identifier x (alias e (f))\n',
    );
    expect(node).toEqual({
      kind: 'Function',
      text: 'f',
      children: [{ kind: 'ExpressionList', text: '', children: [{ kind: 'Identifier', text: 'x', children: [] }] }],
    });
    for (const broken of [
      '',
      'A (children 1)',
      'A\nB',
      'A (children 1)\n B\n C',
      'A (children 1)\n  B',
      ' A',
      // An alias that imitates a count takes the next line as a child, which stands elsewhere.
      'A (children 2)\n Identifier x (alias y) (children 1)\n Function file',
    ]) {
      expect(() => parseAst(broken), broken).toThrow(/cannot be checked/);
    }
  });

  test('passes with tables that may be read, names of common table expressions, and a format at the end', () => {
    expect(check(from('TableIdentifier samples')).kind).toBe('select');
    expect(check(from('TableIdentifier default.samples (alias touched)')).kind).toBe('select');
    expect(check(from('TableIdentifier pulse_catalogue.tables')).kind).toBe('select');
    expect(check(from('TableIdentifier nothing_of_the_kind')).kind).toBe('select');
    expect(
      check(`${from('TableIdentifier samples').replace('(children 1)', '(children 2)')}\n Identifier JSON`),
    ).toEqual({
      kind: 'select',
      format: 'JSON',
    });
  });

  test.each([
    from('TableIdentifier touched'),
    from('TableIdentifier default.touched'),
    from('TableIdentifier system.parts'),
    from('TableIdentifier default.samples.x'),
    from('Function merge'),
    from('SomethingNew'),
    select('  SelectQuery (children 1)', '   Set'),
    select('  SelectQuery (children 1)', '   Identifier _part'),
    select('  SelectQuery (children 1)', '   Identifier x._part_offset'),
    select('  SelectQuery (children 1)', '   TableIdentifier samples'),
    select('  SelectQuery (children 1)', '   ColumnsApplyTransformer'),
    select('  SelectQuery (children 1)', '   Function file'),
    select(
      '  SelectQuery (children 1)',
      '   Function in (children 1)',
      '    ExpressionList (children 2)',
      '     Literal UInt64_1',
      '     Identifier touched',
    ),
    select('  SelectQuery (children 1)', '   Literal 1 (children 1)', '    Function plus'),
    `${select('  SelectQuery')}`.replace('(children 1)', '(children 2)').concat("\n Literal '/tmp/x'"),
    'InsertQuery',
    'DropQuery samples',
    'Explain EXPLAIN (children 1)\n Identifier x',
    'A_kind_of_tomorrow',
  ])('is refused (%#)', (text) => {
    expect(() => check(text)).toThrow();
  });
});

test('functions are known in any letter case and with combinators; nothing else is', () => {
  const allowed = [
    'plus',
    'COUNT',
    'sumIf',
    'quantilesTDigestArrayIf',
    'countDistinct',
    'sumMap',
    'now',
    'row_number',
    'lagInFrame',
    'uniqOrNull',
    'exists',
    'lambda',
    'CAST',
    'toStartOfInterval',
    'timeSeriesRateToGrid',
  ];
  const refused = [
    'file',
    'sumState',
    'sumMerge',
    'dictGet',
    'joinGet',
    'sleep',
    'sleepEachRow',
    'throwIf',
    'hostName',
    'url',
    'chdb',
    'getSetting',
    'aiGenerate',
    'viewExplain',
    'formatRow',
    'neighbor',
    '',
    'counter_steps',
  ];
  expect(allowed.filter((name) => !rights.functions(name))).toEqual([]);
  expect(refused.filter((name) => rights.functions(name))).toEqual([]);
});

test('the engine’s lists are replaced outside of strings and names only', () => {
  const text =
    "SELECT 'system.tables PREWHERE', `system.tables`, x.system.tables FROM system.tables, system.tables_x, system.columns";
  expect(withCatalogue(text, 'c', false)).toBe(
    "SELECT 'system.tables PREWHERE', `system.tables`, x.system.tables FROM c.tables, system.tables_x, c.columns",
  );
  expect(() => withCatalogue('SELECT 1 FROM t PREWHERE 1', 'c', false)).toThrow(/PREWHERE/);
  expect(() => withCatalogue('SELECT `a\\nb`', 'c', false)).toThrow(/backslashes/);
});

test('values become literals whatever is in them, also in comments and strings', () => {
  const params = new Map([
    ['a', "x') UNION ALL SELECT ('y"],
    ['b', '\\N'],
    ['c', "['it\\'s']"],
    ['d', 'a\\tb\\\\'],
  ]);
  expect(
    fillPlaceholders(
      "SELECT {a:String}, {b:Nullable(UInt8)}, {c:Array(String)}, {d:String}, '{a:String}' -- {nothing:String}",
      params,
    ),
  ).toBe(
    "SELECT 'x\\') UNION ALL SELECT (\\'y', CAST(NULL, 'Nullable(UInt8)'), CAST('[\\'it\\\\\\'s\\']', 'Array(String)'), 'a\tb\\\\', '{a:String}' -- {nothing:String}",
  );
  expect(() => fillPlaceholders('{x:String}', params)).toThrow(/not set/);
  expect(() => fillPlaceholders('{a:Identifier}', params)).toThrow(/names/);
});
