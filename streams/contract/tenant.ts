import { z } from 'zod';

const currencies = new Set(Intl.supportedValuesOf('currency'));

/** A tenant's public id: immutable, never reused. *Source* storage design: the number stands only inside engine tables. */
export const TenantId = z
  .string()
  .regex(/^[a-z0-9-]{1,40}$/, 'lower-case letters, digits and hyphens, 1 to 40 characters')
  .brand<'TenantId'>();
export type TenantId = z.infer<typeof TenantId>;

export const Tier = z.literal(['micro', 'small', 'medium', 'large', 'xlarge']);
export type Tier = z.infer<typeof Tier>;
export const Plan = z.literal(['basic', 'professional', 'enterprise']);
export type Plan = z.infer<typeof Plan>;
export const TenantState = z.literal(['active', 'suspended', 'cancelled']);
export type TenantState = z.infer<typeof TenantState>;

const TimeZone = z.string().refine((zone) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}, 'an IANA time zone such as Europe/Dublin');

/** Body of `POST /api/v1/tenants`. An unknown field is refused: a misspelled `currency` must not become a tenant in dollars. */
export const NewTenant = z.strictObject({
  id: TenantId,
  name: z.string().trim().min(1).max(120),
  tier: Tier.default('small'),
  plan: Plan.default('professional'),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/)
    .default('us-east'),
  currency: z
    .string()
    .refine((code) => currencies.has(code), 'an ISO 4217 code such as EUR')
    .default('USD'),
  timeZone: TimeZone.default('UTC'),
  partnerId: z.string().max(40).nullable().default(null),
});
export type NewTenant = z.infer<typeof NewTenant>;

/** A tenant as the API shows it. `simulated` marks the demo fleet so that no page passes it off as a customer. */
export const Tenant = z.object({
  id: TenantId,
  name: z.string(),
  tier: Tier,
  plan: Plan,
  region: z.string(),
  currency: z.string(),
  timeZone: z.string(),
  partnerId: z.string().nullable(),
  state: TenantState,
  createdAt: z.string(),
});
export type Tenant = z.infer<typeof Tenant>;

/** A tenant with its engine number: server-side only, never on a wire. */
export interface TenantRecord extends Tenant {
  readonly number: number;
}

export const ApiKeyScope = z.literal(['ingest', 'read', 'backfill']);
export type ApiKeyScope = z.infer<typeof ApiKeyScope>;

/** Body of `POST /api/v1/tenants/{id}/api-keys`. Every key may ingest and read its own tenant; `backfill` is extra. */
export const NewApiKey = z.strictObject({
  name: z.string().trim().min(1).max(120).default('default'),
  scopes: z.array(ApiKeyScope).default([]),
  expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
});
export type NewApiKey = z.infer<typeof NewApiKey>;

/** An API key without its secret. */
export const ApiKey = z.object({
  id: z.string(),
  tenantId: TenantId,
  name: z.string(),
  prefix: z.string(),
  scopes: z.array(ApiKeyScope),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
});
export type ApiKey = z.infer<typeof ApiKey>;
/** Answer to the creation of a key: the only time the secret is shown. */
export const CreatedApiKey = ApiKey.extend({ apiKey: z.string() });
export const CreatedTenant = Tenant.extend({ apiKey: z.string() });
