import type { EngineSession } from '../engine-sessions.ts';
import { type AstNode, parseAst } from './ast-text.ts';
import { Refusal } from './exceptions.ts';
import { literal } from './text-parameters.ts';

/** Strings and quoted names of a statement as the engine writes it. */
const pieces =
  /'(?:[^'\\]|\\[\s\S]|'')*'|`(?:[^`\\]|\\[\s\S])*`|"(?:[^"\\]|\\[\s\S])*"|\bPREWHERE\b|(?<![\w.])system\.(?<system>databases|tables|columns)\b/g;

const answerOf = async (session: EngineSession, sql: string) =>
  Buffer.from((await session.run(sql, 'TSVRaw')).bytes).toString('utf8');

/**
 * A statement as the engine itself would write it: one statement, no comments, one way to quote. Only this text is looked at and run, so nothing can be read in two ways.
 *
 * *Errors* those of the engine's parser; {@link Refusal} for names with line breaks and the like.
 */
export async function canonicalText(session: EngineSession, text: string): Promise<string> {
  const canonical = (await answerOf(session, `SELECT formatQuerySingleLine(${literal(text)})`)).replace(/\n$/, '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: line breaks in names would imitate nodes of the tree.
  if (/[\x00-\x1f]/.test(canonical))
    throw new Refusal(62, 'SYNTAX_ERROR', 'the statement has control characters outside of strings');
  return canonical;
}

/**
 * Puts the tables of `catalogue` in the place of the engine's own lists of databases, tables and columns.
 *
 * *Errors* {@link Refusal}: PREWHERE, which runs on rows before they are the caller's; names with backslashes.
 */
export function withCatalogue(canonical: string, catalogue: string, allowPrewhere: boolean): string {
  return canonical.replaceAll(pieces, (piece, ...found) => {
    const { system } = (found.at(-1) ?? {}) as { system?: string };
    if (system !== undefined) return `${catalogue}.${system}`;
    if (piece === 'PREWHERE' && !allowPrewhere)
      throw new Refusal(164, 'READONLY', 'PREWHERE is not served: write WHERE');
    if (piece.startsWith('`') && piece.includes('\\'))
      throw new Refusal(62, 'SYNTAX_ERROR', 'names here have no backslashes, line breaks or backquotes');
    return piece;
  });
}

/** The engine's tree of a statement in its canonical form. Nothing of the statement is run. */
export async function explainAst(session: EngineSession, canonical: string): Promise<AstNode> {
  return parseAst(await answerOf(session, `EXPLAIN AST ${canonical}`));
}
