import protobuf from 'protobufjs';

/**
 * Rewrites wire bytes into others that mean the same: fields of different numbers change places, packed values are unpacked, unknown fields are added. Order within one field number stays, as the meaning of repeated fields needs.
 * `random` gives a number in 0…1.
 */
export function shuffleFields(type: protobuf.Type, bytes: Uint8Array, random: () => number): Uint8Array {
  const reader = protobuf.Reader.create(bytes);
  const rows: { key: number; bytes: Uint8Array }[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    const field = type.fieldsById[tag >>> 3];
    if (field === undefined) throw new Error(`field ${tag >>> 3} of ${type.name} is not in the oracle's schema`);
    if ((tag & 7) === 2 && field.resolvedType instanceof protobuf.Type) {
      const inner = shuffleFields(field.resolvedType, reader.bytes(), random);
      rows.push({ key: field.id, bytes: protobuf.Writer.create().uint32(tag).bytes(inner).finish() });
    } else if ((tag & 7) === 2 && field.repeated && field.type !== 'string' && random() < 0.5) {
      const packed = protobuf.Reader.create(reader.bytes());
      const wire = field.type.includes('int') ? 0 : 1;
      while (packed.pos < packed.len) {
        const from = packed.pos;
        packed.skipType(wire);
        const value = packed.buf.subarray(from, packed.pos);
        rows.push({
          key: field.id,
          bytes: Buffer.concat([
            protobuf.Writer.create()
              .uint32(field.id * 8 + wire)
              .finish(),
            value,
          ]),
        });
      }
    } else {
      reader.skipType(tag & 7);
      rows.push({ key: field.id, bytes: bytes.subarray(start, reader.pos) });
    }
  }
  if (random() < 0.3) rows.push({ key: 3000, bytes: unknownField(random) });
  return Buffer.concat(interleave(rows, random));
}

function unknownField(random: () => number): Uint8Array {
  const writer = protobuf.Writer.create();
  const kind = Math.floor(random() * 4);
  if (kind === 0) writer.uint32(3000 * 8).uint32(77);
  else if (kind === 1) writer.uint32(3000 * 8 + 1).double(1.5);
  else if (kind === 2) writer.uint32(3000 * 8 + 2).string('unknown');
  else writer.uint32(3000 * 8 + 5).fixed32(9);
  return writer.finish();
}

/** A random merge that keeps the order within each key. */
function interleave(rows: readonly { key: number; bytes: Uint8Array }[], random: () => number): Uint8Array[] {
  const queues = new Map<number, Uint8Array[]>();
  for (const row of rows) queues.set(row.key, [...(queues.get(row.key) ?? []), row.bytes]);
  const order: Uint8Array[] = [];
  while (queues.size > 0) {
    const keys = [...queues.keys()];
    const key = keys[Math.floor(random() * keys.length)] ?? 0;
    const queue = queues.get(key) ?? [];
    const next = queue.shift();
    if (next !== undefined) order.push(next);
    if (queue.length === 0) queues.delete(key);
  }
  return order;
}
