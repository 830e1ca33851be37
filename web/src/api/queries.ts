import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import {
  BackupList,
  DecisionView,
  FleetRow,
  ForecastReport,
  Invoice,
  MetricRange,
  type RangeAggregate,
  RejectedCount,
  SlaReport,
  Tenant,
  UsageReport,
} from 'streams/contract';
import type { TimeRange } from '../format/range.ts';
import { request, requestAll, requestPages, withQuery } from './client.ts';
import { InvoicePage, LogPage } from './schemas.ts';

const liveMs = 10_000;
const minuteMs = 60_000;

/** Every tenant with health, attainment and customers; read again every 10 seconds. */
export const fleetQuery = (token: string) =>
  queryOptions({
    queryKey: ['fleet'],
    queryFn: ({ signal }) => requestAll('/api/v1/analytics/fleet', FleetRow, { token, signal }),
    refetchInterval: liveMs,
  });

/** Draft of every tenant in its own running period, and why a tenant has none. */
export const fleetInvoicesQuery = (token: string) =>
  queryOptions({
    queryKey: ['invoices', 'fleet'],
    queryFn: async ({ signal }) => {
      const pages = await requestPages('/api/v1/billing/invoices', InvoicePage, { token, signal });
      return {
        invoices: pages.flatMap(({ items }) => items),
        failures: new Map(pages.flatMap(({ failures }) => failures.map((failure) => [failure.tenant, failure]))),
      };
    },
    refetchInterval: minuteMs,
  });

/** The last backup that a trial restore found whole. */
export const backupsQuery = (token: string) =>
  queryOptions({
    queryKey: ['backups'],
    queryFn: ({ signal }) => request('/api/v1/backups?limit=1', BackupList, { token, signal }),
    refetchInterval: minuteMs,
  });

/** Invoices of one tenant in a period. */
export const invoicesQuery = (token: string, period: string, tenant: string) =>
  queryOptions({
    queryKey: ['invoices', period, tenant],
    queryFn: ({ signal }) =>
      requestAll(withQuery('/api/v1/billing/invoices', { tenant, period }), Invoice, { token, signal }),
    refetchInterval: minuteMs,
  });

/** Decisions that wait for an outcome, of all tenants. */
export const openDecisionsQuery = (token: string) =>
  queryOptions({
    queryKey: ['decisions', 'open'],
    queryFn: ({ signal }) => requestAll('/api/v1/decisions?state=open', DecisionView, { token, signal }),
    refetchInterval: liveMs,
  });

/** Decisions of one tenant in any state, newest first. */
export const decisionsQuery = (token: string, tenant: string) =>
  queryOptions({
    queryKey: ['decisions', tenant],
    queryFn: async ({ signal }) => {
      const items = await requestAll(withQuery('/api/v1/decisions', { tenant }), DecisionView, { token, signal });
      return items.toSorted((a, b) => b.proposedAt.localeCompare(a.proposedAt));
    },
    refetchInterval: liveMs,
  });

export const tenantsQuery = (token: string) =>
  queryOptions({
    queryKey: ['tenants'],
    queryFn: ({ signal }) => requestAll('/api/v1/tenants', Tenant, { token, signal }),
    staleTime: minuteMs,
  });

export const tenantQuery = (token: string, id: string) =>
  queryOptions({
    queryKey: ['tenant', id],
    queryFn: ({ signal }) => request(`/api/v1/tenants/${encodeURIComponent(id)}`, Tenant, { token, signal }),
    staleTime: minuteMs,
  });

export const slaQuery = (token: string, tenant: string, period: string) =>
  queryOptions({
    queryKey: ['sla', tenant, period],
    queryFn: ({ signal }) =>
      request(withQuery('/api/v1/analytics/sla', { tenant, period }), SlaReport, { token, signal }),
    refetchInterval: minuteMs,
  });

export const usageQuery = (token: string, tenant: string, period: string) =>
  queryOptions({
    queryKey: ['usage', tenant, period],
    queryFn: ({ signal }) =>
      request(withQuery('/api/v1/billing/usage', { tenant, period }), UsageReport, { token, signal }),
    refetchInterval: minuteMs,
  });

export const forecastQuery = (token: string, tenant: string, metric: string, horizon: number) =>
  queryOptions({
    queryKey: ['forecast', tenant, metric, horizon],
    queryFn: ({ signal }) =>
      request(withQuery('/api/v1/analytics/forecast', { tenant, metric, horizon }), ForecastReport, { token, signal }),
    staleTime: 5 * minuteMs,
  });

/** What a chart asks the store for. */
export interface RangeRequest {
  readonly metric: string;
  readonly aggregate: RangeAggregate;
  readonly groupBy?: string;
}

/** Buckets of a metric; the previous answer stays on the chart while a new range loads. */
export const rangeQuery = (token: string, tenant: string, range: TimeRange, step: string, wanted: RangeRequest) =>
  queryOptions({
    queryKey: ['range', tenant, wanted, step, range.preset ?? range.from, range.preset === null ? range.to : 'live'],
    queryFn: ({ signal }) => {
      const now = Math.floor(Date.now() / minuteMs) * minuteMs;
      const [from, to] = range.preset === null ? [range.from, range.to] : [now - (range.to - range.from), now];
      const path = withQuery('/api/v1/telemetry/metrics/range', {
        tenant,
        metric: wanted.metric,
        start: new Date(from).toISOString(),
        end: new Date(to).toISOString(),
        step,
        aggregate: wanted.aggregate,
        groupBy: wanted.groupBy,
      });
      return request(path, MetricRange, { token, signal });
    },
    placeholderData: keepPreviousData,
    refetchInterval: range.preset === null ? false : 30_000,
  });

export const logsQuery = (token: string, tenant: string, range: TimeRange) =>
  queryOptions({
    queryKey: ['logs', tenant, range.preset ?? range.from, range.preset === null ? range.to : 'live'],
    queryFn: ({ signal }) =>
      request(
        withQuery('/api/v1/telemetry/logs', {
          tenant,
          start: new Date(range.from).toISOString(),
          end: new Date(range.to).toISOString(),
          limit: 50,
        }),
        LogPage,
        { token, signal },
      ),
    placeholderData: keepPreviousData,
  });

const hourMs = 60 * minuteMs;

/** Counts of refused data, in whole hours: the hour in which the range begins included. */
export const rejectedQuery = (token: string, tenant: string, range: TimeRange) =>
  queryOptions({
    queryKey: ['rejected', tenant, range.preset ?? range.from, range.preset === null ? range.to : 'live'],
    queryFn: ({ signal }) =>
      requestAll(
        withQuery('/api/v1/telemetry/rejected', {
          tenant,
          start: new Date(Math.floor(range.from / hourMs) * hourMs).toISOString(),
          end: new Date(range.to).toISOString(),
        }),
        RejectedCount,
        { token, signal },
      ),
    placeholderData: keepPreviousData,
    refetchInterval: range.preset === null ? false : minuteMs,
  });
