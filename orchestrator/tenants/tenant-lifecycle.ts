import { AppError, type TenantState } from 'streams/contract';

export type LifecycleVerb = 'suspend' | 'resume' | 'cancel';

const transitions: Readonly<
  Record<LifecycleVerb, { readonly from: readonly TenantState[]; readonly to: TenantState }>
> = {
  suspend: { from: ['active'], to: 'suspended' },
  resume: { from: ['suspended'], to: 'active' },
  cancel: { from: ['active', 'suspended'], to: 'cancelled' },
};

/**
 * The state a tenant comes to; a cancelled tenant stays cancelled, because its id and number are never used again.
 *
 * *Errors* `tenants.transition` (409, not retryable).
 */
export function nextState(state: TenantState, verb: LifecycleVerb): TenantState {
  const { from, to } = transitions[verb];
  if (from.includes(state)) return to;
  throw new AppError('tenants.transition', `a tenant that is ${state} cannot be set to ${to}`, {
    status: 409,
    context: { state, verb },
  });
}
