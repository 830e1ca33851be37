import { AppError } from 'streams/contract';
import type { Control } from 'streams/control';
import { z } from 'zod';
import type { SealedPeriod, SealedPeriodStore, SealedTotals } from './ports.ts';

const everywhere = { kind: 'global' } as const;
const Totals = z.object({
  meters: z.record(z.string(), z.string()),
  draft: z.object({
    invoice: z.string(),
    total: z.string(),
    currency: z.string(),
    rateCard: z.object({ id: z.string(), version: z.number().int() }),
  }),
  missing: z.number(),
});

function toTotals(value: unknown, tenant: string, period: string): SealedTotals {
  const parsed = Totals.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new AppError('billing.seal_unreadable', `the seal of ${tenant} ${period} cannot be read`, {
    cause: parsed.error,
    context: { tenant, period },
  });
}

/** Sealed periods in the control plane. */
export function createSealedPeriodStore(control: Control): SealedPeriodStore {
  return {
    async of(tenants, period) {
      if (tenants.length === 0) return new Map();
      const rows = await control.read(everywhere, (tx) =>
        tx
          .selectFrom('sealed_periods')
          .selectAll()
          .where('period', '=', period)
          .where('tenant_id', 'in', tenants)
          .execute(),
      );
      return new Map(
        rows.map((row): [string, SealedPeriod] => [
          row.tenant_id,
          {
            tenant: row.tenant_id,
            period: row.period,
            start: row.starts_at,
            end: row.ends_at,
            sealedAt: row.sealed_at,
            sealedBy: row.sealed_by,
            knownAt: row.known_at,
            totals: toTotals(row.totals, row.tenant_id, period),
          },
        ]),
      );
    },
    async add(actor, sealed) {
      const { tenant, period, start, end, sealedAt, knownAt, totals } = sealed;
      await control.mutate(actor, everywhere, async (tx) => {
        await tx
          .insertInto('sealed_periods')
          .values({
            tenant_id: tenant,
            period,
            starts_at: start,
            ends_at: end,
            sealed_at: sealedAt,
            sealed_by: sealed.sealedBy,
            known_at: knownAt,
            totals: JSON.stringify(totals),
          })
          .execute();
        return {
          result: undefined,
          audit: {
            action: 'period.seal',
            resource: `period/${tenant}/${period}`,
            tenantId: tenant,
            after: { knownAt, totals },
          },
          events: {
            type: 'usage.sealed',
            tenantId: tenant,
            id: `usage.sealed/${tenant}/${period}`,
            data: { period, start, end, sealedAt, knownAt },
          },
        };
      });
    },
  };
}
