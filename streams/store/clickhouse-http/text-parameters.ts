import { Refusal } from './exceptions.ts';

const comment = /--[^\n]*|\/\*[\s\S]*?\*\//.source;
const text = /'(?:[^'\\]|\\[\s\S]|'')*'|`(?:[^`\\]|\\[\s\S])*`|"(?:[^"\\]|\\[\s\S])*"/.source;
const placeholder = /\{\s*(?<name>\w+)\s*:\s*(?<type>[^{}]+?)\s*\}/.source;
const pieces = new RegExp(`${comment}|${text}|${placeholder}`, 'g');

const unescapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', f: '\f', '0': '\0' };

/** Types whose text carries its own quotes; others come escaped, as in tab-separated text. */
const quotesItself = /^(?:Array|Map|Tuple|Nested|JSON|Variant|Dynamic)\b/i;

/** A value in the escaped text form that the HTTP interface takes. */
const unescaped = (value: string) => value.replaceAll(/\\([\s\S])/g, (_, char: string) => unescapes[char] ?? char);

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', "'": "\\'", '\0': '\\0' };
/** A string literal of the engine; a zero byte would end the statement. */
export const literal = (value: string): string => `'${value.replaceAll(/[\\'\0]/g, (char) => escapes[char] ?? char)}'`;

/**
 * A statement with its `{name:Type}` placeholders filled in from `param_name`: a string as a literal, anything else as a cast of one.
 *
 * *Shape* a value never becomes anything but a literal. The engine's own binding serves one statement at a time in the whole process, see `bound-statement.ts`.
 * *Errors* {@link Refusal} 456 for a placeholder without a value, 36 for an identifier.
 */
export function fillPlaceholders(sql: string, params: ReadonlyMap<string, string>): string {
  return sql.replaceAll(pieces, (piece, ...found) => {
    const { name, type } = (found.at(-1) ?? {}) as { name?: string; type?: string };
    if (name === undefined || type === undefined) return piece;
    const value = params.get(name);
    if (value === undefined) throw new Refusal(456, 'UNKNOWN_QUERY_PARAMETER', `Substitution \`${name}\` is not set`);
    if (/^Identifier$/i.test(type))
      throw new Refusal(36, 'BAD_ARGUMENTS', `parameter ${name}: names cannot be parameters here`);
    if (/^String$/i.test(type)) return literal(unescaped(value));
    if (value === '\\N') return `CAST(NULL, ${literal(type)})`;
    return `CAST(${literal(quotesItself.test(type) ? value : unescaped(value))}, ${literal(type)})`;
  });
}
