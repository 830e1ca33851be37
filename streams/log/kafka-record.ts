import type { KafkaRecord, MessageToProduce, RecordsBatch } from '@platformatic/kafka';
import { AppError } from '../contract/index.ts';
import { keyBytesMax, messageBytesMax } from './frame.ts';
import { packPayload } from './payload-compression.ts';
import type { LogMessage, LogRecord, TopicName } from './port.ts';
import { StoredRecord } from './stored-record.ts';

/** Header of a packed payload: its length unpacked. Without it the value is the payload itself. */
const packedHeader = Buffer.from('pulse-packed');

/** A message as the broker gets it, and what it costs there. */
export interface PreparedRecord {
  readonly key: Buffer;
  readonly bytes: number;
  /** Bytes that are not compressed yet. */
  readonly plainBytes: number;
  toProduce(topic: string, partition: number): MessageToProduce<Buffer, Buffer, Buffer, Buffer>;
}

/** Key, headers and value of a record on the broker. *Errors* `log.message_too_large` naming the message. */
export function prepareRecord(message: LogMessage, index: number, appendedAt: number): PreparedRecord {
  const key = Buffer.from(message.key, 'utf8');
  const headers = new Map(
    Object.entries(message.headers).map(([name, value]) => [Buffer.from(name, 'utf8'), Buffer.from(value, 'utf8')]),
  );
  let headerBytes = 0;
  for (const [name, value] of headers) headerBytes += name.length + value.length + 4;
  const bytes = key.length + headerBytes + message.payload.length;
  if (key.length > keyBytesMax) throw tooLarge(`messages[${index}].key`, `${key.length} bytes, at most ${keyBytesMax}`);
  if (bytes > messageBytesMax)
    throw tooLarge(`messages[${index}]`, `${bytes} bytes with key and headers, at most ${messageBytesMax}`);
  const packed = packPayload(message.payload, message.packed);
  if (packed.compressed) headers.set(packedHeader, Buffer.from(String(message.payload.length)));
  const value = Buffer.from(packed.bytes.buffer, packed.bytes.byteOffset, packed.bytes.length);
  const size = key.length + headerBytes + value.length + 64;
  return {
    key,
    bytes: size,
    plainBytes: packed.compressed ? size - value.length : size,
    toProduce: (topic, partition) => ({ topic, partition, key, value, headers, timestamp: BigInt(appendedAt) }),
  };
}

/** A record as read back. *Bias* a record that Pulse did not write comes as it stands there. */
export function toLogRecord(
  place: { readonly topic: TopicName; readonly partition: number; readonly base: number },
  batch: RecordsBatch,
  record: KafkaRecord,
): LogRecord {
  const headers: Record<string, string> = {};
  let unpackedBytes: number | undefined;
  for (const [name, value] of record.headers) {
    if (name === null) continue;
    if (name.equals(packedHeader)) unpackedBytes = Number(value?.toString('latin1'));
    else headers[name.toString('utf8')] = value?.toString('utf8') ?? '';
  }
  const bytes = record.value ?? Buffer.alloc(0);
  const { topic, partition, base } = place;
  const offset = base + Number(batch.firstOffset) + record.offsetDelta;
  const appendedAt = Number(batch.firstTimestamp + record.timestampDelta);
  const compressed = unpackedBytes !== undefined && Number.isSafeInteger(unpackedBytes);
  return new StoredRecord(
    { topic, partition, offset, appendedAt },
    { key: record.key?.toString('utf8') ?? '', headers },
    { bytes, compressed },
    compressed ? (unpackedBytes ?? 0) : bytes.length,
  );
}

function tooLarge(field: string, detail: string): AppError {
  return new AppError('log.message_too_large', `the message is too large: ${detail}`, { status: 413, field });
}
