import { z } from 'zod';

/**
 * A validated usage event as it travels on the log: the payload of an envelope with encoding `cloudevents` is a JSON array of these.
 *
 * *Units* `value` is a decimal string of at most 26 integer and 12 fraction digits (`Decimal(38, 12)`); `time` is ISO 8601 in UTC with milliseconds.
 * *Source* CloudEvents 1.0; identity is (tenant, source, id).
 */
export const UsageEvent = z.object({
  type: z.string().min(1).max(255),
  source: z.string().min(1).max(1024),
  id: z.string().min(1).max(255),
  subject: z.string().max(255),
  time: z.string(),
  value: z.string().regex(/^-?\d{1,26}(\.\d{1,12})?$/),
  attributes: z.record(z.string(), z.string()),
  /** The event named no time: `time` is its receipt, and the same event sent again has another. */
  timeOfReceipt: z.literal(true).optional(),
});
export type UsageEvent = z.infer<typeof UsageEvent>;
