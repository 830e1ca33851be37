import { LineEvidence } from 'streams/contract';
import { z } from 'zod';

/** Answer of `GET /api/v1/session`: whom the credential stands for. */
export const SessionInfo = z.object({
  role: z.literal(['operator', 'tenant', 'partner']),
  tenantId: z.string().nullable(),
});
export type SessionInfo = z.infer<typeof SessionInfo>;

/** Rows behind a line of an invoice or behind a meter; only the former names its invoice. */
export const EvidencePage = LineEvidence.partial({ invoice: true, line: true });
export type EvidencePage = z.infer<typeof EvidencePage>;

const text = z.string().nullish();

/** A log record as the page shows it; names of both OpenTelemetry spellings are taken. */
export const LogLine = z
  .looseObject({
    time: z.union([z.string(), z.number()]).nullish(),
    timestamp: z.union([z.string(), z.number()]).nullish(),
    severity: text,
    severityText: text,
    body: z.unknown(),
    service: text,
    serviceName: text,
    traceId: text,
  })
  .transform((row) => ({
    time: row.time ?? row.timestamp ?? null,
    severity: row.severityText ?? row.severity ?? '',
    body: typeof row.body === 'string' ? row.body : JSON.stringify(row.body ?? ''),
    service: row.serviceName ?? row.service ?? '',
    traceId: row.traceId ?? '',
  }));
export type LogLine = z.output<typeof LogLine>;
export const LogPage = z.object({ items: z.array(LogLine) });
