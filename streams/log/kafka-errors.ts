import { findErrorBy, protocolErrors } from '@platformatic/kafka';
import { AppError } from '../contract/index.ts';
import { unavailable } from './log-errors.ts';

/** True when the client's error, or one inside it, has this code: the library's own (`PLT_KFK_…`) or the broker's (`NOT_COORDINATOR`, …). */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  if (!(error instanceof Error)) return false;
  return codes.some((code) => findErrorBy(error, 'apiId', code) !== null || findErrorBy(error, 'code', code) !== null);
}

/** The broker's name of an error number. */
export function codeName(code: number): string {
  return Object.values(protocolErrors).find((known) => known.code === code)?.id ?? `code ${code}`;
}

const transient = [
  'PLT_KFK_NETWORK',
  'PLT_KFK_TIMEOUT',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'KAFKA_STORAGE_ERROR',
  'BROKER_NOT_AVAILABLE',
  'NOT_CONTROLLER',
  'OFFSET_NOT_AVAILABLE',
];

/** True when the same request may succeed in a moment: nobody is there, or the cluster is between two states. */
export function isTransient(error: unknown): boolean {
  if (hasCode(error, 'PLT_KFK_AUTHENTICATION')) return false;
  return (error instanceof AppError && error.retryable) || hasCode(error, ...transient);
}

/** Codes that say that the topic a request meant is gone, also when another one of its name is there. */
export function isOtherTopic(error: unknown): boolean {
  return hasCode(error, 'UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID', 'INCONSISTENT_TOPIC_ID');
}

/** Codes that end a membership: another generation has begun, with or without this member. */
export function isFenced(error: unknown): boolean {
  return (
    (error instanceof AppError && error.code === 'log.fenced') ||
    hasCode(error, 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'REBALANCE_IN_PROGRESS')
  );
}

/** The brokers cannot be asked at the moment. */
export function unreachable(reason: string, cause?: unknown): AppError {
  return unavailable(`the brokers cannot be reached: ${reason}`, cause);
}

/** Translates what the client throws. *Errors* `log.unavailable` for everything that is not one of ours: nothing may be assumed stored. */
export function fromKafka(error: unknown, doing: string): AppError {
  if (error instanceof AppError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return unavailable(`${doing}: ${text}`, error);
}
