import { BackupList, type BackupRun, CreatedTenant, Fleet, Invoice, NewTenant, pageOf, Tenant } from 'streams/contract';
import { z } from 'zod';
import type { ApiClient } from './api-client.ts';
import { orDash, renderTable } from './table.ts';

export { reconcile, reconcileSelfTest } from './reconcile.ts';
export { tenantLimits } from './tenant-limits.ts';

/** What a command prints, and the code it ends with: 0 fine, 1 the check failed, 2 wrong use, 3 a reading failed. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
  readonly exitCode: 0 | 1;
}

const Ready = z.object({
  ready: z.boolean(),
  modules: z.array(z.object({ name: z.string(), ready: z.boolean(), reason: z.string().optional() })),
});

/** `pulse status`: modules, tenants by health, and when something is not ready, why. */
export async function status(api: ApiClient): Promise<CommandResult> {
  const [ready, fleet, backup] = await Promise.all([
    readReadiness(api),
    api.get('/api/v1/analytics/fleet', Fleet),
    readLastBackup(api),
  ]);
  const count = (health: string) => fleet.items.filter((row) => row.health === health).length;
  const health = { up: count('up'), degraded: count('degraded'), down: count('down'), unmeasured: count('unmeasured') };
  const text = [
    `${api.url}: ${ready.ready ? 'ready' : 'NOT READY'}`,
    `tenants: ${fleet.items.length} (${health.up} up, ${health.degraded} degraded, ${health.down} down, ${health.unmeasured} unmeasured)`,
    `last verified backup: ${backup === undefined ? 'not known to this process' : backup === null ? 'none' : `${backup.startedAt} (${backup.directory})`}`,
    '',
    renderTable(
      [
        { title: 'module', value: (row) => row.name },
        { title: 'state', value: (row) => (row.ready ? 'ready' : `not ready: ${row.reason ?? 'no reason given'}`) },
      ],
      ready.modules,
    ),
  ].join('\n');
  return {
    json: {
      url: api.url,
      ...ready,
      tenants: { total: fleet.items.length, ...health },
      lastVerifiedBackup: backup ?? null,
    },
    text,
    exitCode: ready.ready ? 0 : 1,
  };
}

/** Null: none; undefined: this process looks after no backups. */
async function readLastBackup(api: ApiClient): Promise<BackupRun | null | undefined> {
  return api.get('/api/v1/backups?limit=1', BackupList).then(
    ({ lastVerifiedBackup }) => lastVerifiedBackup,
    () => undefined,
  );
}

/** `/readyz` answers 503 while a module is not ready, with the same body. */
async function readReadiness(api: ApiClient): Promise<z.infer<typeof Ready>> {
  const response = await fetch(`${api.url}/readyz`, { signal: AbortSignal.timeout(10_000) }).catch(() => null);
  if (response === null) return api.get('/readyz', Ready);
  return Ready.parse(await response.json());
}

/** `pulse tenants`: every tenant with state, tier, health, attainment and customers. */
export async function tenants(api: ApiClient): Promise<CommandResult> {
  const [all, fleet] = await Promise.all([
    readAll(api, '/api/v1/tenants', Tenant),
    api.get('/api/v1/analytics/fleet', Fleet),
  ]);
  const measured = new Map(fleet.items.map((row) => [row.tenant.id, row]));
  const rows = all.map((tenant) => {
    const row = measured.get(tenant.id);
    return {
      ...tenant,
      health: row?.health ?? 'unmeasured',
      attainment: row?.attainment ?? null,
      customers: row?.customers ?? null,
    };
  });
  const text = renderTable(
    [
      { title: 'id', value: (row) => row.id },
      { title: 'name', value: (row) => row.name },
      { title: 'state', value: (row) => row.state },
      { title: 'tier', value: (row) => row.tier },
      { title: 'plan', value: (row) => row.plan },
      { title: 'health', value: (row) => row.health },
      {
        title: 'attainment',
        right: true,
        value: (row) => orDash(row.attainment, (value) => `${(value * 100).toFixed(3)} %`),
      },
      {
        title: 'customers',
        right: true,
        value: (row) => orDash(row.customers, (value) => value.toLocaleString('en-US')),
      },
    ],
    rows,
  );
  return {
    json: rows,
    text: rows.length === 0 ? 'no tenants yet: pulse tenants create ID --name NAME' : text,
    exitCode: 0,
  };
}

/** `pulse tenants create`: prints the first API key, which is shown only here. */
export async function createTenant(api: ApiClient, tenant: z.input<typeof NewTenant>): Promise<CommandResult> {
  const created = await api.post('/api/v1/tenants', NewTenant.parse(tenant), CreatedTenant);
  return {
    json: created,
    text: `tenant ${created.id} created\nAPI key (shown only now): ${created.apiKey}`,
    exitCode: 0,
  };
}

/** `pulse invoices`: invoices of a period with their totals. */
export async function invoices(api: ApiClient, filter: { period?: string; tenant?: string }): Promise<CommandResult> {
  const items = await readAll(api, `/api/v1/billing/invoices?${query(filter)}`, Invoice);
  const text = renderTable(
    [
      { title: 'invoice', value: (row) => row.id },
      { title: 'tenant', value: (row) => row.tenant },
      { title: 'period', value: (row) => row.period },
      { title: 'state', value: (row) => row.state },
      { title: 'lines', right: true, value: (row) => String(row.lines.length) },
      { title: 'total', right: true, value: (row) => `${row.total} ${row.currency}` },
    ],
    items,
  );
  return { json: items, text: items.length === 0 ? 'no invoices' : text, exitCode: 0 };
}

const AuditVerification = z.looseObject({ ok: z.boolean() });

/** `pulse audit verify`: checks the hash chain of every change of the control plane. */
export async function verifyAudit(api: ApiClient): Promise<CommandResult> {
  const result = await api.get('/api/v1/audit/verify', AuditVerification);
  const details = Object.entries(result).map(
    ([key, value]) => `${key}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return { json: result, text: details.join('\n'), exitCode: result.ok ? 0 : 1 };
}

async function readAll<T extends z.ZodType>(api: ApiClient, path: string, item: T): Promise<z.infer<T>[]> {
  const items: z.infer<T>[] = [];
  let cursor: string | null = null;
  do {
    const separator = path.includes('?') ? '&' : '?';
    const page: { items: z.infer<T>[]; nextCursor: string | null } = await api.get(
      `${path}${cursor === null ? '' : `${separator}cursor=${encodeURIComponent(cursor)}`}`,
      pageOf(item) as unknown as z.ZodType<{ items: z.infer<T>[]; nextCursor: string | null }>,
    );
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

function query(filter: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return new URLSearchParams(given).toString();
}
