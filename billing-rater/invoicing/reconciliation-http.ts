import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { TenantDirectory } from 'streams/access';
import {
  AppError,
  Handover,
  LedgerSelfTest,
  type LineCheck,
  periodAt,
  periodOf,
  Reconciliation,
  TenantId,
  type TenantRecord,
} from 'streams/contract';
import { z } from 'zod';
import type { SelfTestReport } from './ledger-self-test.ts';
import { hoursOfPeriod, type ReconciliationReader } from './reconciliation.ts';
import { visibleTenants } from './tenants.ts';

export interface ReconciliationDeps {
  readonly tenants: TenantDirectory;
  readonly reconciliation: ReconciliationReader;
  /** Invoice lines of a tenant's period against its hours; the running period without a name. */
  lines(tenant: TenantRecord, period: string | undefined): Promise<readonly LineCheck[]>;
  /** Shows on a shadow copy that the ledger notices what it is there for. */
  selfTest(): Promise<SelfTestReport>;
  now(): number;
}

const ReconciliationQuery = z.object({
  tenant: TenantId.optional(),
  period: z
    .string()
    .regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'a month such as 2026-11')
    .optional(),
  /** Only hand-overs of this state are listed; `balanced` and `totals` are always about all of them. */
  state: Handover.shape.state.optional(),
  /** 0: totals only. */
  limit: z.coerce.number().int().min(0).max(200_000).default(200_000),
  cursor: z
    .string()
    .regex(/^\d{1,9}$/)
    .optional(),
});

/** Tenants whose invoices are made to check their lines. For more, each close of a period checks them. */
const linesMax = 50;

const unreadable = (cause: unknown): never => {
  throw new AppError('billing.ledger_unreadable', 'the ledger could not be read; nothing can be said about it', {
    status: 503,
    retryable: true,
    cause,
  });
};

/** Without a rate card, or with an hour that cannot be metered, there is no invoice to check; the hours themselves are judged all the same. */
function noInvoice(error: unknown): readonly LineCheck[] {
  if (error instanceof AppError && !error.retryable && error.status < 500) return [];
  return unreadable(error);
}

/** `GET /api/v1/billing/reconciliation`: the conservation ledger of a period. *Errors* `billing.ledger_unreadable` (503, retryable): never an empty answer. */
export function reconciliationRoutes(deps: ReconciliationDeps): FastifyPluginAsyncZod {
  let testing: Promise<SelfTestReport> | undefined;
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/api/v1/billing/reconciliation/self-test',
      schema: {
        tags: ['billing'],
        summary:
          'Spoils each hand-over of a shadow copy and says what the ledger makes of it; live tables are not touched',
        response: { 200: LedgerSelfTest },
      },
      config: { permission: { resource: 'platform', action: 'write', tenant: 'none' } },
      handler: async () => {
        // The shadow has one name: a second caller gets the test in hand.
        testing ??= deps.selfTest().finally(() => {
          testing = undefined;
        });
        const { passed, checks } = await testing;
        return { passed, checks: [...checks] };
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/billing/reconciliation',
      schema: {
        tags: ['billing'],
        summary:
          'Hand-overs of a period, produced to invoiced: by tenant, signal or meter and hour, added up, and the lines of invoices',
        querystring: ReconciliationQuery,
        response: { 200: Reconciliation.extend({ nextCursor: z.string().nullable() }) },
      },
      config: { permission: { resource: 'billing', action: 'read', tenant: 'query' } },
      handler: async (request) => {
        const { period: name, state, limit, cursor } = request.query;
        const zone = request.tenant?.timeZone ?? 'UTC';
        const period = name === undefined ? periodAt(deps.now(), zone) : periodOf(name, zone);
        const tenants = visibleTenants(request, deps.tenants);
        const isAll = request.tenant === null && request.rowScope.kind === 'global';
        const range = { tenants, isAll, ...hoursOfPeriod(period) };
        const skip = Number(cursor ?? '0');
        const page = { skip, limit, ...(state === undefined ? {} : { state }) };
        const { totals, handovers, more } = await deps.reconciliation.read(range, page).catch(unreadable);
        const lines: LineCheck[] = [];
        if (tenants.length <= linesMax && cursor === undefined) {
          for (const tenant of tenants) lines.push(...(await deps.lines(tenant, name).catch(noInvoice)));
        }
        const isSound = totals.every(({ mismatched }) => mismatched === 0);
        return {
          balanced: isSound && lines.every((line) => line.state !== 'mismatch'),
          handovers,
          totals,
          lines: tenants.length <= linesMax && cursor === undefined ? lines : null,
          nextCursor: more && limit > 0 ? String(skip + limit) : null,
        };
      },
    });
  };
}
