export {
  createEmbeddedLog,
  type EmbeddedLog,
  type EmbeddedLogOptions,
  type EmbeddedLogStatus,
} from './embedded-log.ts';
export { type Envelope, fromHeaders, type HourCount, type ProducedRange, toHeaders } from './envelope.ts';
export { createKafkaLog, type KafkaLog, type KafkaLogOptions, type KafkaLogStatus } from './kafka-log.ts';
export { logModule } from './module.ts';
export { giveBack, gunzipChunkBytes, gzipClaimedBytes } from './payload-compression.ts';
export {
  type Consumer,
  type ConsumerOptions,
  type Log,
  type LogBatch,
  type LogMessage,
  type LogPosition,
  type LogRecord,
  type TopicName,
  topics,
  usePayload,
} from './port.ts';
export { createSpooledLog, type SpooledLog, type SpooledLogOptions, type SpoolStatus } from './spooled-log.ts';
