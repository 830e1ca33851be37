import { z } from 'zod';
import { TenantId } from './tenant.ts';

/** Names a dead letter by where its record stands: topic, partition and offset. */
export const DeadLetterId = z.string().regex(/^telemetry-\d{1,5}-\d{1,16}$/, 'telemetry-PARTITION-OFFSET');

/** What became of a letter that was put on the log again. `newLetter` names the letter that a replay which failed again has made. */
export const DeadLetterReplay = z.object({
  at: z.string(),
  by: z.string(),
  outcome: z.enum(['pending', 'stored', 'failed']),
  newLetter: z.string().nullable(),
});

/** A record that could not be stored, with its original bytes in base64. `replayOf` names the letter whose replay made this one. */
export const DeadLetter = z.object({
  id: z.string(),
  tenant: TenantId.nullable(),
  at: z.string(),
  topic: z.string(),
  partition: z.number(),
  offset: z.string(),
  code: z.string(),
  detail: z.string(),
  envelope: z.string(),
  payload: z.string(),
  payloadBytes: z.number(),
  replay: DeadLetterReplay.nullable(),
  replayOf: z.string().nullable(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;
