import type { RateCard } from '../rating/index.ts';
import type { Subscription } from './subscriptions.ts';

/** What invoices need of the control plane. Reads are scoped to the one tenant. */
export interface SubscriptionReader {
  subscriptions(tenantId: string): Promise<readonly Subscription[]>;
}

export interface RateCardReader {
  cards(): Promise<readonly RateCard[]>;
}
