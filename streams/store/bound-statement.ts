import { invariant } from '../contract/index.ts';

const comment = /--[^\n]*|\/\*[\s\S]*?\*\//.source;
const text = /'(?:[^'\\]|\\.|'')*'|`[^`]*`/.source;
const placeholder = /\{(?<name>\w+)\s*:\s*(?<type>[^{}]+?)\s*\}/.source;
const pieces = new RegExp(`${comment}|${text}|${placeholder}`, 'g');

const integer = /^(U?)Int(8|16|32|64)$/;
const integerText = /^-?\d{1,20}$/;
const integersText = /^\[(?:-?\d{1,20}(?:,-?\d{1,20})*)?\]$/;
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', "'": "\\'", '\0': '\\0' };

/** A string literal of the engine: only a backslash and a quote can end one; a zero byte would end the statement. */
const quoted = (value: string): string => `'${value.replaceAll(/[\\'\0]/g, (char) => escapes[char] ?? char)}'`;

/** The engine would wrap a number that its type does not hold around, without a word. */
function isWithin(type: string, digits: string): boolean {
  const [, unsigned, bits] = integer.exec(type) ?? [];
  const size = 2n ** BigInt(bits ?? 0);
  const value = BigInt(digits);
  return unsigned === 'U' ? value >= 0n && value < size : value >= -size / 2n && value < size / 2n;
}

function literal(name: string, type: string, value: unknown): string {
  const wrong = `parameter ${name} is not a value of ${type}`;
  if (type === 'String') {
    invariant(typeof value === 'string', wrong);
    return quoted(value);
  }
  if (type === 'Identifier') {
    invariant(typeof value === 'string' && /^\w+$/.test(value), wrong);
    return `\`${value}\``;
  }
  if (integer.test(type)) {
    const digits = String(value);
    invariant(integerText.test(digits) && isWithin(type, digits), wrong);
    return `CAST(${digits}, '${type}')`;
  }
  if (type === 'Float64') {
    invariant(typeof value === 'number' && Number.isFinite(value), wrong);
    return `CAST(${value}, 'Float64')`;
  }
  if (type === 'Array(String)') {
    invariant(Array.isArray(value) && value.every((item) => typeof item === 'string'), wrong);
    return `CAST([${value.map(quoted).join()}], 'Array(String)')`;
  }
  const items = /^Array\((.+)\)$/.exec(type)?.[1] ?? '';
  invariant(integer.test(items), `parameter ${name}: no literals of ${type} are known`);
  const list = Array.isArray(value) ? `[${value.join()}]` : value;
  invariant(typeof list === 'string' && integersText.test(list), wrong);
  // As text: the engine reads it faster than a list of expressions.
  return `CAST('${list}', '${type}')`;
}

/**
 * A statement with its `{name:Type}` placeholders filled in as literals of exactly these types; comments and strings stay as they are.
 *
 * *Errors* a programmer error (plain `Error`) for a placeholder without a value, a value that is not of its type, and a type that no statement uses yet.
 */
export function bindStatement(sql: string, params: Readonly<Record<string, unknown>>): string {
  return sql.replaceAll(pieces, (piece, ...found) => {
    const { name, type } = (found.at(-1) ?? {}) as { name?: string; type?: string };
    if (name === undefined || type === undefined) return piece;
    invariant(Object.hasOwn(params, name), `parameter ${name} has no value`);
    return literal(name, type, params[name]);
  });
}
