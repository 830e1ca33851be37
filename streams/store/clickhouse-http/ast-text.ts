import { Refusal } from './exceptions.ts';

/** A node of `EXPLAIN AST`: its kind, what stands behind the kind, and its alias when it has one. */
export interface AstNode {
  readonly kind: string;
  readonly text: string;
  readonly children: readonly AstNode[];
}

const nodeLine =
  /^( *)([A-Za-z][A-Za-z:]*)(?: ((?!\((?:children|alias) ).*?))?(?: \(alias .*?\))?(?: \(children (\d+)\))?$/;

const unreadable = () =>
  new Refusal(
    48,
    'NOT_IMPLEMENTED',
    'the statement has a form that cannot be checked: use plain names, without line breaks or backslashes in them',
  );

/**
 * Reads the text of `EXPLAIN AST` strictly: indentation and counts of children must agree for every line.
 *
 * *Errors* {@link Refusal} when they do not, as with a name that imitates nodes.
 */
export function parseAst(text: string): AstNode {
  const lines = text.split('\n').filter((line) => line !== '');
  let at = 0;
  const read = (depth: number): AstNode => {
    const match = nodeLine.exec(lines[at++] ?? '');
    const [, indent, kind, rest = '', count] = match ?? [];
    if (indent === undefined || kind === undefined || indent.length !== depth || depth > 2000) throw unreadable();
    // The children of the uppermost node stand one step in, those of an explained or described statement do not.
    const children = Array.from({ length: Number(count ?? 0) }, () => read(depth + 1));
    return { kind, text: rest, children };
  };
  const root = read(0);
  if (at !== lines.length) throw unreadable();
  return root;
}
