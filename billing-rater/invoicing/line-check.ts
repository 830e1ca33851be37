import { type BillingPeriod, Decimal, type Invoice, type LineCheck, type TenantRecord } from 'streams/contract';
import { defineQuery, type Store } from 'streams/store';
import { z } from 'zod';
import { meterOf } from '../metering/meters.ts';
import { type FactTotal, noFacts, quantityOf } from '../metering/quantity.ts';
import type { InvoiceService } from './invoice-service.ts';

/** Facts of a period added up, and whether any of them is newer than what invoices know. */
export interface PeriodFacts {
  readonly totals: ReadonlyMap<string, FactTotal & { readonly isBeyond: boolean }>;
}

/** Meters of the charges that the lines come from, by line. */
export type LineMeters = ReadonlyMap<string, string>;

/** Compares each usage line with the hours of its period. *Shape* a difference is `pending` while facts are newer than the invoice's cut-off. */
export function checkLines(
  invoice: Invoice,
  meterOfLine: LineMeters,
  period: BillingPeriod,
  facts: PeriodFacts,
): LineCheck[] {
  return invoice.lines.flatMap((line): LineCheck[] => {
    const key = meterOfLine.get(line.id);
    if (line.kind !== 'usage' || key === undefined) return [];
    const total = facts.totals.get(key);
    const expected = quantityOf(meterOf(key), total ?? noFacts, period.seconds);
    const isEqual = expected.equals(Decimal.parse(line.quantity));
    const state = isEqual ? 'balanced' : total?.isBeyond === true ? 'pending' : 'mismatch';
    const { tenant, id } = invoice;
    return [
      { tenant, invoice: id, line: line.id, meter: key, quantity: line.quantity, expected: expected.toString(), state },
    ];
  });
}

const Exact = z.string().transform((text) => Decimal.parse(text));

/** Reads the facts of a tenant's period without a cut-off. *Errors* those of the store. */
export function createPeriodFactsReader(store: Store) {
  const lineFacts = defineQuery({
    file: new URL('./sql/line-facts.sql', import.meta.url),
    params: z.object({
      tenant: z.number().int(),
      start: z.number().int(),
      end: z.number().int(),
      partitions: z.array(z.number().int()),
      metered: z.array(z.number().int()),
    }),
    row: z.object({
      meter: z.string(),
      value: Exact,
      seconds: Exact,
      events: z.coerce.number().int(),
      beyond: z.coerce.number().int(),
    }),
  });
  return async (
    tenant: TenantRecord,
    period: BillingPeriod,
    metered: readonly { readonly partition: number; readonly next: number }[],
  ): Promise<PeriodFacts> => {
    const rows = await store.query(lineFacts, {
      tenant: tenant.number,
      start: Math.floor(period.startMs / 1000),
      end: Math.floor(period.endMs / 1000),
      partitions: metered.map(({ partition }) => partition),
      metered: metered.map(({ next }) => next),
    });
    return {
      totals: new Map(
        rows.map(({ meter, value, seconds, events, beyond }) => [
          meter,
          { value, seconds, events, isBeyond: beyond > 0 },
        ]),
      ),
    };
  };
}

export interface LineCheckDeps {
  readonly invoices: Pick<InvoiceService, 'checkable'>;
  readonly facts: ReturnType<typeof createPeriodFactsReader>;
}

/** Lines of a tenant's draft against the hours of its period. *Errors* those of the invoice and of the readings. */
export async function readLineChecks(
  deps: LineCheckDeps,
  tenant: TenantRecord,
  name: string | undefined,
): Promise<{ readonly lines: LineCheck[]; readonly invoice: Invoice }> {
  const { invoice, meterOfLine, period, knownAt } = await deps.invoices.checkable(tenant, name);
  return { invoice, lines: checkLines(invoice, meterOfLine, period, await deps.facts(tenant, period, knownAt)) };
}
