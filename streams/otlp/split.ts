import { AppError } from '../contract/index.ts';
import type { OtlpSignal } from './port.ts';
import { WireReader } from './wire-reader.ts';

/**
 * Splits a valid request into requests of at most `maxBytes`, at resource, scope, metric, then point boundaries; every part repeats the resource, scope and metric it belongs to.
 *
 * *Shape* records keep their order; the same bytes always split the same way. *Errors* `otlp.record_too_large` (413): one record alone does not fit.
 */
export function splitOtlp(signal: OtlpSignal, payload: Uint8Array, maxBytes: number): Uint8Array[] {
  if (payload.length <= maxBytes) return [payload];
  const levels = signal === 'metrics' ? metricLevels : recordLevels;
  return split(payload, levels, 0, maxBytes);
}

/** Fields that hold the children of each level, from the request down to what cannot be divided. */
type Level = readonly number[];
const recordLevels: readonly Level[] = [[1], [2], [2]];
const metricLevels: readonly Level[] = [[1], [2], [2], [5, 7, 9, 10, 11], [1]];

interface Child {
  readonly field: number;
  readonly value: Uint8Array;
}

function split(message: Uint8Array, levels: readonly Level[], depth: number, maxBytes: number): Uint8Array[] {
  const { header, children } = divide(message, levels[depth] ?? []);
  const room = maxBytes - header.length;
  const parts: Uint8Array[] = [];
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const flush = () => {
    if (pending.length > 0) parts.push(Buffer.concat([header, ...pending]));
    pending = [];
    pendingBytes = 0;
  };
  const add = (encoded: Uint8Array) => {
    if (pendingBytes + encoded.length > room) flush();
    pending.push(encoded);
    pendingBytes += encoded.length;
  };
  for (const child of children) {
    const encoded = encode(child.field, child.value);
    if (encoded.length <= room) add(encoded);
    else if (depth + 1 >= levels.length || room <= lengthBytes) throw tooLarge(maxBytes);
    else {
      for (const piece of split(child.value, levels, depth + 1, room - lengthBytes)) add(encode(child.field, piece));
    }
  }
  flush();
  return parts;
}

/** A tag of one byte and a length of at most five stand in front of every child. */
const lengthBytes = 6;

function divide(message: Uint8Array, fields: Level): { header: Uint8Array; children: Child[] } {
  const reader = new WireReader(message);
  const rest: Uint8Array[] = [];
  const children: Child[] = [];
  while (reader.pos < reader.length) {
    const start = reader.pos;
    const tag = reader.tag(reader.length);
    if ((tag & 7) === 2 && fields.includes(tag >>> 3)) {
      const limit = reader.limit(reader.length);
      children.push({ field: tag >>> 3, value: reader.slice(reader.pos, limit) });
      reader.pos = limit;
    } else {
      reader.skip(tag, reader.length);
      rest.push(reader.slice(start, reader.pos));
    }
  }
  return { header: Buffer.concat(rest), children };
}

function encode(field: number, value: Uint8Array): Uint8Array {
  const prefix = [field * 8 + 2];
  let length = value.length;
  for (; length >= 0x80; length = Math.floor(length / 128)) prefix.push((length & 0x7f) | 0x80);
  prefix.push(length);
  return Buffer.concat([Uint8Array.from(prefix), value]);
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('otlp.record_too_large', `one record does not fit into ${maxBytes} bytes`, { status: 413 });
}
