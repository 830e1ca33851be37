import type { LogFileSystem } from './file-system.ts';
import type { TopicName } from './port.ts';

/** What the log says about itself while it works; the module turns it into metrics. */
export interface LogObserver {
  appended(topic: TopicName, records: number, bytes: number): void;
  /** One sync of a segment, seconds. */
  synced(seconds: number): void;
  /** Torn bytes cut off at start. */
  trimmed(bytes: number): void;
}

/** The part of a pino logger that the log uses. */
export interface LogLogger {
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** What the parts of the embedded log share. */
export interface LogEnvironment {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly fs: LogFileSystem;
  readonly logger: LogLogger;
  readonly observer: LogObserver;
  /** Bytes of the newest records that a partition keeps in memory for readers. */
  readonly recentBytes: number;
}
