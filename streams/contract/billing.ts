import { z } from 'zod';
import { TenantId } from './tenant.ts';

/** An exact decimal on the wire: digits, optional fraction, optional minus. Never a JSON number. */
export const DecimalString = z.string().regex(/^-?\d{1,38}(\.\d{1,38})?$/);

/** Answer of `GET /api/v1/billing/usage?tenant&period=2026-11`. */
export const UsageReport = z.object({
  tenant: TenantId,
  period: z.string(),
  start: z.string(),
  end: z.string(),
  /** Usage up to this instant is in the figures. */
  asOf: z.string(),
  meters: z.array(
    z.object({
      meter: z.string(),
      quantity: DecimalString,
      unit: z.string(),
      aggregation: z.string(),
      events: z.number().int(),
      evidence: z.string(),
    }),
  ),
});
export type UsageReport = z.infer<typeof UsageReport>;

/** A line of an invoice: amount = quantity priced by `pricing`, rounded once to cents. */
export const InvoiceLine = z.object({
  id: z.string(),
  kind: z.literal(['fee', 'usage']),
  item: z.string(),
  description: z.string(),
  quantity: DecimalString,
  unit: z.string(),
  /** Price a unit where the line has one price; null for tiered prices, then `pricing` shows each tier. */
  unitPrice: DecimalString.nullable(),
  pricing: z.array(
    z.object({ description: z.string(), quantity: DecimalString, unitPrice: DecimalString, amount: DecimalString }),
  ),
  amount: DecimalString,
  /** How `quantity` follows from the evidence rows, in words. */
  aggregation: z.string(),
  /** Link of the API that returns the rows behind the quantity. */
  evidence: z.string(),
});
export type InvoiceLine = z.infer<typeof InvoiceLine>;

export const Invoice = z.object({
  id: z.string(),
  tenant: TenantId,
  period: z.string(),
  start: z.string(),
  end: z.string(),
  state: z.literal(['draft', 'issued', 'paid', 'void', 'held']),
  currency: z.string(),
  timeZone: z.string(),
  lines: z.array(InvoiceLine),
  total: DecimalString,
  rateCard: z.object({ id: z.string(), version: z.number().int() }),
  /** The log position that the figures read up to: recomputing with it gives the same cents. */
  knownAt: z.string(),
  asOf: z.string(),
});
export type Invoice = z.infer<typeof Invoice>;

/** Rows behind one line: recomputing `aggregate` over `rows` gives `quantity` exactly. */
export const LineEvidence = z.object({
  invoice: z.string(),
  line: z.string(),
  query: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  aggregate: z.string(),
  quantity: DecimalString,
  rows: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.null()]))),
  nextCursor: z.string().nullable(),
});
export type LineEvidence = z.infer<typeof LineEvidence>;

const HandoverSides = {
  from: z.literal(['produced', 'accepted', 'logged', 'stored', 'rated']),
  to: z.literal(['accepted', 'logged', 'stored', 'rolled_up', 'rated', 'invoiced']),
  counts: z.object({ from: z.number(), to: z.number(), duplicates: z.number(), conflicts: z.number().optional() }),
  sums: z
    .object({ from: z.string(), to: z.string(), duplicates: z.string(), conflicts: z.string().optional() })
    .nullable(),
};

/**
 * One hand-over of the conservation ledger: `signal` is metrics, traces, logs or events, or a meter from `stored` to `rated` and on to `invoiced`. Counts are exact; `duplicates` explains what was handed over and not kept.
 * `conflicts`, there when any is, are those of the duplicates that came with other content: usage events on the conflict list. `seconds` are the measured ones of a time-weighted meter, compared too.
 */
export const Handover = z.object({
  tenant: z.string(),
  signal: z.string(),
  hour: z.string(),
  ...HandoverSides,
  seconds: z.object({ from: z.number(), to: z.number() }).optional(),
  state: z.literal(['balanced', 'pending', 'mismatch']),
});
export type Handover = z.infer<typeof Handover>;

/** A hand-over added up over a period, with the number of hours in each state. */
export const HandoverTotal = z.object({
  tenant: z.string(),
  signal: z.string(),
  ...HandoverSides,
  hours: z.number(),
  balanced: z.number(),
  pending: z.number(),
  mismatched: z.number(),
});
export type HandoverTotal = z.infer<typeof HandoverTotal>;

/** Whether the quantity of an invoice's line follows from what its hours were invoiced for. */
export const LineCheck = z.object({
  tenant: z.string(),
  invoice: z.string(),
  line: z.string(),
  meter: z.string(),
  /** The line's quantity, and that of the hours. */
  quantity: DecimalString,
  expected: DecimalString,
  state: z.literal(['balanced', 'pending', 'mismatch']),
});
export type LineCheck = z.infer<typeof LineCheck>;

/** Answer of `POST /api/v1/billing/reconciliation/self-test`: what the ledger says of a copy whose hand-over was spoiled, and what it has to say. */
export const LedgerSelfTest = z.object({
  passed: z.boolean(),
  checks: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      spoiling: z.literal(['nothing', 'dropped', 'doubled', 'read broken']),
      expected: z.literal(['MATCH', 'MISMATCH', 'CHECK_ERROR']),
      verdict: z.literal(['MATCH', 'MISMATCH', 'CHECK_ERROR']),
    }),
  ),
});
export type LedgerSelfTest = z.infer<typeof LedgerSelfTest>;

/** Answer of `GET /api/v1/billing/reconciliation`. `balanced` is about all of the period, whatever is listed; `lines` is there when few enough tenants were asked for. */
export const Reconciliation = z.object({
  balanced: z.boolean(),
  handovers: z.array(Handover),
  totals: z.array(HandoverTotal).default([]),
  lines: z.array(LineCheck).nullable().default(null),
});
export type Reconciliation = z.infer<typeof Reconciliation>;
