import { AppError, Tier } from 'streams/contract';
import type { Control } from 'streams/control';
import type { SubscriptionReader } from './ports.ts';

/** Subscription records from the control plane, under the tenant's own row scope. *Errors* `billing.subscription_unreadable`. */
export function createSubscriptionReader(control: Control): SubscriptionReader {
  return {
    subscriptions: (tenantId) =>
      control.read({ kind: 'tenant', tenantId }, async (tx) => {
        const rows = await tx.selectFrom('subscriptions').selectAll().where('tenant_id', '=', tenantId).execute();
        return rows.map((row) => {
          const tier = Tier.safeParse(row.tier);
          if (!tier.success) {
            throw new AppError(
              'billing.subscription_unreadable',
              `subscription ${row.id} has the unknown tier ${row.tier}`,
              {
                context: { tenant: tenantId, subscription: row.id },
              },
            );
          }
          return { id: row.id, tier: tier.data, plan: row.plan, validFrom: row.valid_from, validTo: row.valid_to };
        });
      }),
  };
}
