/** One field of a message: a varint or fixed value as bigint, anything with a length as bytes. */
export type ProtoValue = bigint | Uint8Array;

/**
 * Reads one level of a protobuf message by field number; throws when the bytes are none. Written for the checks alone: it shares nothing with the codecs that it judges.
 */
export function readProto(bytes: Uint8Array): Map<number, ProtoValue[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = new Map<number, ProtoValue[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const read = (): ProtoValue => {
      if ((tag & 7) === 0) return varint();
      const length = (tag & 7) === 1 ? 8 : (tag & 7) === 5 ? 4 : Number(varint());
      if (at + length > bytes.length) throw new Error('a field is longer than its message');
      at += length;
      return bytes.subarray(at - length, at);
    };
    fields.set(tag >>> 3, [...(fields.get(tag >>> 3) ?? []), read()]);
  }
  return fields;
}

export const textOf = (value: ProtoValue | undefined): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : '';
export const numberOf = (value: ProtoValue | undefined): number => (typeof value === 'bigint' ? Number(value) : 0);

/** A `google.rpc.Status`. */
export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  /** Type names of the details, such as `google.rpc.RetryInfo`. */
  readonly details: readonly string[];
}

const typeName = (url: string) => url.split('/').at(-1) ?? '';

export function readStatus(bytes: Uint8Array, isJson: boolean): RpcStatus {
  if (isJson) {
    const {
      code,
      message,
      details = [],
    } = JSON.parse(Buffer.from(bytes).toString()) as {
      code: number;
      message: string;
      details?: { '@type': string }[];
    };
    return { code, message, details: details.map((detail) => typeName(detail['@type'])) };
  }
  const fields = readProto(bytes);
  const details = (fields.get(3) ?? []).map((any) =>
    typeName(textOf(any instanceof Uint8Array ? readProto(any).get(1)?.[0] : undefined)),
  );
  return { code: numberOf(fields.get(1)?.[0]), message: textOf(fields.get(2)?.[0]), details };
}
