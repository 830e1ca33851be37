import { AppError } from '../contract/index.ts';
import { parseExactJson } from './exact-json.ts';
import type { OtlpSignal } from './port.ts';
import { anyValue, type Field, type FieldType, type MessageType, requestTypes } from './schema.ts';
import { maxDepth } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Translates an OTLP/JSON request into the protobuf bytes that mean the same, so that everything behind the door reads one format.
 *
 * *Shape* ids are hex, 64-bit integers strings or numbers (also above 2⁵³, without losing a digit), enums numbers and never names, names of fields lowerCamelCase; unknown fields are ignored, null is absent.
 * *Errors* `otlp.malformed_json` (not retryable), `field` is the path of the value. *Source* OTLP specification, "JSON Protobuf Encoding".
 */
export function otlpJsonToProtobuf(signal: OtlpSignal, bytes: Uint8Array): Uint8Array {
  let parsed: unknown;
  try {
    parsed = parseExactJson(utf8.decode(bytes));
  } catch (cause) {
    throw new AppError('otlp.malformed_json', 'the body is not JSON in UTF-8', { status: 400, cause });
  }
  return encodeOtlp(signal, parsed);
}

/** Encodes a request given as a plain object in the shape of OTLP/JSON. *Errors* as {@link otlpJsonToProtobuf}. */
export function encodeOtlp(signal: OtlpSignal, request: unknown): Uint8Array {
  const writer = new WireWriter();
  writeMessage(writer, requestTypes[signal], request, '', 0);
  return writer.finish();
}

function invalid(path: string, expectation: string): AppError {
  const field = path === '' ? '(body)' : path;
  return new AppError('otlp.malformed_json', `${field}: ${expectation}`, { status: 400, field });
}

function writeMessage(writer: WireWriter, type: MessageType, value: unknown, path: string, depth: number): void {
  if (depth > maxDepth) throw invalid(path, `values nest deeper than ${maxDepth}`);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, 'an object is expected');
  for (const name of Object.keys(value)) {
    const field = type.byName.get(name);
    const item = (value as Record<string, unknown>)[name];
    if (field === undefined || item === null || item === undefined) continue;
    const at = path === '' ? name : `${path}.${name}`;
    const next = type === anyValue ? depth + 1 : depth;
    if (!field.repeated) writeField(writer, field, item, at, next);
    else if (!Array.isArray(item)) throw invalid(at, 'an array is expected');
    else {
      const element = { ...field, presence: true };
      for (let i = 0; i < item.length; i++) writeField(writer, element, item[i], `${at}[${i}]`, next);
    }
  }
}

function writeField(writer: WireWriter, field: Field, value: unknown, path: string, depth: number): void {
  const { type, number } = field;
  if (typeof type !== 'string') {
    writer.tag(number, 2);
    writer.nested(() => writeMessage(writer, type, value, path, depth));
    return;
  }
  const write = scalar(type, value, path);
  // proto3 leaves a default out unless its presence says something.
  if (!field.presence && write.isDefault) return;
  writer.tag(number, write.wireType);
  write.to(writer);
}

interface ScalarWrite {
  readonly wireType: number;
  readonly isDefault: boolean;
  readonly to: (writer: WireWriter) => void;
}

function scalar(type: Exclude<FieldType, MessageType>, value: unknown, path: string): ScalarWrite {
  switch (type) {
    case 'string': {
      if (typeof value !== 'string') throw invalid(path, 'a string is expected');
      return { wireType: 2, isDefault: value === '', to: (writer) => writer.string(value.toWellFormed()) };
    }
    case 'bytes':
    case 'hex': {
      const bytes = binary(type, value, path);
      return { wireType: 2, isDefault: bytes.length === 0, to: (writer) => writer.bytes(bytes) };
    }
    case 'bool': {
      if (typeof value !== 'boolean') throw invalid(path, 'true or false is expected');
      return { wireType: 0, isDefault: !value, to: (writer) => writer.varint(value ? 1n : 0n) };
    }
    case 'double': {
      const number = double(value, path);
      return { wireType: 1, isDefault: Object.is(number, 0), to: (writer) => writer.double(number) };
    }
    case 'fixed64':
    case 'uint64': {
      const integer = whole(value, path, 0n, 0xffff_ffff_ffff_ffffn);
      const wireType = type === 'uint64' ? 0 : 1;
      const to = (writer: WireWriter) => (type === 'uint64' ? writer.varint(integer) : writer.fixed64(integer));
      return { wireType, isDefault: integer === 0n, to };
    }
    case 'int64':
    case 'sfixed64': {
      const integer = whole(value, path, -(2n ** 63n), 2n ** 63n - 1n);
      const wireType = type === 'int64' ? 0 : 1;
      const to = (writer: WireWriter) => (type === 'int64' ? writer.varint(integer) : writer.fixed64(integer));
      return { wireType, isDefault: integer === 0n, to };
    }
    case 'sint32': {
      const integer = whole(value, path, -(2n ** 31n), 2n ** 31n - 1n);
      const zigzag = integer >= 0n ? integer * 2n : -integer * 2n - 1n;
      return { wireType: 0, isDefault: integer === 0n, to: (writer) => writer.varint(zigzag) };
    }
    case 'fixed32': {
      const integer = Number(whole(value, path, 0n, 0xffff_ffffn));
      return { wireType: 5, isDefault: integer === 0, to: (writer) => writer.fixed32(integer) };
    }
    case 'enum': {
      // ProtoJSON would take names too; OTLP/JSON allows numbers only.
      if (typeof value === 'string') throw invalid(path, 'an enum is its number');
      const integer = whole(value, path, -(2n ** 31n), 2n ** 31n - 1n);
      return { wireType: 0, isDefault: integer === 0n, to: (writer) => writer.varint(integer) };
    }
    case 'uint32': {
      const integer = whole(value, path, 0n, 0xffff_ffffn);
      return { wireType: 0, isDefault: integer === 0n, to: (writer) => writer.varint(integer) };
    }
  }
}

function binary(type: 'bytes' | 'hex', value: unknown, path: string): Buffer {
  if (typeof value !== 'string') throw invalid(path, 'a string is expected');
  if (type === 'hex') {
    if (value.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(value)) throw invalid(path, 'hexadecimal digits are expected');
    return Buffer.from(value, 'hex');
  }
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) throw invalid(path, 'base64 is expected');
  return Buffer.from(value, 'base64');
}

const specialDoubles = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

function double(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    const special = specialDoubles.get(value);
    if (special !== undefined) return special;
    if (/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(value)) return Number(value);
  }
  throw invalid(path, 'a number is expected');
}

function whole(value: unknown, path: string, least: bigint, most: bigint): bigint {
  let integer: bigint | null = null;
  if (typeof value === 'bigint') integer = value;
  else if (typeof value === 'number' && Number.isInteger(value)) integer = BigInt(value);
  else if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) integer = BigInt(value);
  if (integer === null || integer < least || integer > most) {
    throw invalid(path, `a whole number from ${least} to ${most} is expected`);
  }
  return integer;
}
