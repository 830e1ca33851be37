import { WireReader } from '../otlp/wire-reader.ts';

const attributeName = Buffer.from('dotmac.tenant.id');

/** A length-delimited field. */
function field(number: number, value: Uint8Array): Uint8Array {
  const prefix = [number * 8 + 2];
  let length = value.length;
  for (; length >= 0x80; length = Math.floor(length / 128)) prefix.push((length & 0x7f) | 0x80);
  prefix.push(length);
  return Buffer.concat([Uint8Array.from(prefix), value]);
}

/** Fields of a message in their order; `value` of length-delimited ones. */
function* fieldsOf(message: Uint8Array): Generator<{ number: number; value: Uint8Array | null; raw: Uint8Array }> {
  const reader = new WireReader(message);
  while (reader.pos < reader.length) {
    const start = reader.pos;
    const tag = reader.tag(reader.length);
    let value: Uint8Array | null = null;
    if ((tag & 7) === 2) {
      const limit = reader.limit(reader.length);
      value = reader.slice(reader.pos, limit);
      reader.pos = limit;
    } else reader.skip(tag, reader.length);
    yield { number: tag >>> 3, value, raw: reader.slice(start, reader.pos) };
  }
}

function namesTenant(resource: Uint8Array): boolean {
  for (const attribute of fieldsOf(resource)) {
    if (attribute.number !== 1 || attribute.value === null) continue;
    for (const part of fieldsOf(attribute.value)) {
      if (part.number === 1 && part.value !== null && attributeName.equals(part.value)) return true;
    }
  }
  return false;
}

/** `ResourceMetrics`, `ResourceSpans` and `ResourceLogs` alike: field 1 is the resource. */
function withResource(message: Uint8Array, attribute: Uint8Array): Uint8Array {
  const resources: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  for (const { number, value, raw } of fieldsOf(message)) {
    if (number === 1 && value !== null) resources.push(value);
    else rest.push(raw);
  }
  // A resource that comes in pieces is one, its attributes together. Source: protobuf encoding, "Last One Wins".
  const resource = Buffer.concat(resources);
  if (namesTenant(resource)) return message;
  return Buffer.concat([field(1, Buffer.concat([attribute, resource])), ...rest]);
}

/**
 * An export request in which every resource says whose it is, by attribute `dotmac.tenant.id`.
 *
 * *Shape* nothing but that attribute is added; a resource that has it stays byte for byte (the door lets no other tenant's name in).
 * *Errors* `otlp.malformed`.
 */
export function withTenant(payload: Uint8Array, tenantId: string): Uint8Array {
  const value = field(1, Buffer.from(tenantId));
  const attribute = field(1, Buffer.concat([field(1, attributeName), field(2, value)]));
  const parts: Uint8Array[] = [];
  for (const { number, value: message, raw } of fieldsOf(payload)) {
    parts.push(number === 1 && message !== null ? field(1, withResource(message, attribute)) : raw);
  }
  return Buffer.concat(parts);
}
