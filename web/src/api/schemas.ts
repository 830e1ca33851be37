import { Invoice, LineEvidence } from 'streams/contract';
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

/** A log record as the page shows it; further fields of the answer are left aside. */
export const LogLine = z.object({ time: z.string(), severityText: z.string(), service: z.string(), body: z.string() });
export type LogLine = z.infer<typeof LogLine>;
export const LogPage = z.object({ items: z.array(LogLine) });

/** Drafts of many tenants; one that could not be worked out is named with its reason instead of stopping the others. */
export const InvoiceFailure = z.object({ tenant: z.string(), code: z.string(), detail: z.string() });
export const InvoicePage = z.object({
  items: z.array(Invoice),
  nextCursor: z.string().nullable(),
  failures: z.array(InvoiceFailure).default([]),
});
