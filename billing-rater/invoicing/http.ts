import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { TenantDirectory } from 'streams/access';
import {
  AppError,
  Invoice,
  LineEvidence,
  PageQuery,
  pageOf,
  TenantId,
  type TenantRecord,
  UsageReport,
} from 'streams/contract';
import { z } from 'zod';
import { parseDraftInvoiceId } from './draft-invoice.ts';
import type { InvoiceService } from './invoice-service.ts';
import { forbiddenInvoice, requireTenant, requireVisible, visibleTenants } from './tenants.ts';

const Period = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'a month such as 2026-11');
const Instant = z.iso.datetime();
const PeriodQuery = z.object({ tenant: TenantId.optional(), period: Period.optional() });
const EvidenceQuery = PageQuery.extend({ knownAt: z.string().max(4000).optional() });
const RowsQuery = EvidenceQuery.extend({ bucket: Instant.optional() });
const LineParams = z.object({ id: z.string().max(80), lineId: z.string().max(60) });
const MeterParams = z.object({ meter: z.string().max(60) });

/** An invoice that could not be made; the others of the list are not held back by it. */
const InvoiceFailure = z.object({ tenant: TenantId, code: z.string(), detail: z.string() });

const readBilling = { resource: 'billing', action: 'read' } as const;
const byQuery = { permission: { ...readBilling, tenant: 'query' } } as const;
const byResource = { permission: { ...readBilling, tenant: 'resource' } } as const;

export interface InvoiceRoutesDeps {
  readonly invoices: InvoiceService;
  readonly tenants: TenantDirectory;
}

/** One tenant's mistake in data stays with that tenant; an unreadable store stops the whole answer. */
async function invoiceOrFailure(invoices: InvoiceService, tenant: TenantRecord, period: string | undefined) {
  try {
    return { invoice: await invoices.invoice(tenant, period) };
  } catch (error) {
    if (!(error instanceof AppError) || error.retryable || error.status >= 500) throw error;
    return { failure: { tenant: tenant.id, code: error.code, detail: error.message } };
  }
}

/** `GET /api/v1/billing/invoices`, `…/{id}` and the evidence of its lines. */
export function invoiceRoutes({ invoices, tenants }: InvoiceRoutesDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/billing/invoices',
      schema: {
        tags: ['billing'],
        summary: 'Draft invoices of a period, by tenant; the running period when none is named',
        querystring: PageQuery.extend(PeriodQuery.shape),
        response: { 200: pageOf(Invoice).extend({ failures: z.array(InvoiceFailure) }) },
      },
      config: byQuery,
      handler: async (request) => {
        const { limit, cursor, period } = request.query;
        if (request.tenant !== null) {
          return { items: [await invoices.invoice(request.tenant, period)], nextCursor: null, failures: [] };
        }
        const left = visibleTenants(request, tenants).filter(({ id }) => cursor === undefined || id > cursor);
        const page = left.slice(0, limit);
        const items: Invoice[] = [];
        const failures: z.infer<typeof InvoiceFailure>[] = [];
        for (const tenant of page) {
          const { invoice, failure } = await invoiceOrFailure(invoices, tenant, period);
          if (invoice !== undefined) items.push(invoice);
          if (failure !== undefined) failures.push(failure);
        }
        return { items, nextCursor: left.length > limit ? (page.at(-1)?.id ?? null) : null, failures };
      },
    });

    const ownerOf = (request: Parameters<typeof visibleTenants>[0], id: string) => {
      const parsed = parseDraftInvoiceId(id);
      if (parsed === null) throw forbiddenInvoice();
      return { tenant: requireVisible(request, tenants, parsed.tenant), period: parsed.period };
    };
    app.route({
      method: 'GET',
      url: '/api/v1/billing/invoices/:id',
      schema: {
        tags: ['billing'],
        summary: 'One invoice; every line links to its evidence',
        params: z.object({ id: z.string().max(80) }),
        response: { 200: Invoice },
      },
      config: byResource,
      handler: async (request) => {
        const { tenant, period } = ownerOf(request, request.params.id);
        return invoices.invoice(tenant, period);
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/billing/invoices/:id/lines/:lineId/evidence',
      schema: {
        tags: ['billing'],
        summary: 'Rows from which the quantity of a line follows exactly: facts by bucket, or the subscription record',
        params: LineParams,
        querystring: EvidenceQuery,
        response: { 200: LineEvidence },
      },
      config: byResource,
      handler: async (request) => {
        const { tenant, period } = ownerOf(request, request.params.id);
        const { knownAt, cursor, limit } = request.query;
        return invoices.lineEvidence(tenant, period, request.params.lineId, { knownAt, cursor, limit });
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/billing/invoices/:id/lines/:lineId/evidence/events',
      schema: {
        tags: ['billing'],
        summary: 'Usage events or samples behind a line, of one 15-minute bucket when it is named',
        params: LineParams,
        querystring: RowsQuery,
        response: { 200: LineEvidence },
      },
      config: byResource,
      handler: async (request) => {
        const { tenant, period } = ownerOf(request, request.params.id);
        const { knownAt, cursor, limit, bucket } = request.query;
        return invoices.lineRows(tenant, period, request.params.lineId, { knownAt, cursor, limit }, bucket);
      },
    });
  };
}

/** `GET /api/v1/billing/usage` and the evidence of its meters. */
export function usageRoutes({ invoices }: InvoiceRoutesDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/billing/usage',
      schema: {
        tags: ['billing'],
        summary: 'Quantity of every meter of a tenant in a period, so far',
        querystring: PeriodQuery,
        response: { 200: UsageReport },
      },
      config: byQuery,
      handler: (request) => invoices.usageReport(requireTenant(request), request.query.period),
    });
    app.route({
      method: 'GET',
      url: '/api/v1/billing/usage/:meter/evidence',
      schema: {
        tags: ['billing'],
        summary: 'Facts from which the quantity of a meter follows exactly',
        params: MeterParams,
        querystring: EvidenceQuery.extend(PeriodQuery.shape),
        response: { 200: LineEvidence },
      },
      config: byQuery,
      handler: (request) => {
        const { knownAt, cursor, limit, period } = request.query;
        return invoices.usageEvidence(requireTenant(request), period, request.params.meter, { knownAt, cursor, limit });
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/billing/usage/:meter/evidence/events',
      schema: {
        tags: ['billing'],
        summary: 'Usage events or samples behind a meter, of one 15-minute bucket when it is named',
        params: MeterParams,
        querystring: RowsQuery.extend(PeriodQuery.shape),
        response: { 200: LineEvidence },
      },
      config: byQuery,
      handler: (request) => {
        const { knownAt, cursor, limit, period, bucket } = request.query;
        const page = { knownAt, cursor, limit };
        return invoices.usageRows(requireTenant(request), period, request.params.meter, page, bucket);
      },
    });
  };
}
