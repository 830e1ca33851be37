import { AppError, defaultLimits, LimitsChange, TenantLimitsView } from 'streams/contract';
import type { ApiClient } from './api-client.ts';
import type { CommandResult } from './commands.ts';
import { renderTable } from './table.ts';

/** `pulse tenants limits ID [NAME=VALUE…]`: shows the limits of a tenant, after changing those that are named; `NAME=default` takes an own limit away. Retention is `retentionDays.logs` and so on. */
export async function tenantLimits(api: ApiClient, id: string, changes: readonly string[]): Promise<CommandResult> {
  const path = `/api/v1/tenants/${encodeURIComponent(id)}/limits`;
  const view =
    changes.length === 0
      ? await api.get(path, TenantLimitsView)
      : await api.patch(path, LimitsChange.parse(parseChanges(changes)), TenantLimitsView);
  const own = flatten(view.overrides);
  const defaults = flatten(defaultLimits);
  const rows = [...flatten(view.limits)].map(([name, value]) => ({ name, value, isOwn: own.has(name) }));
  const text = renderTable(
    [
      { title: 'limit', value: (row) => row.name },
      { title: 'value', right: true, value: (row) => String(row.value) },
      { title: '', value: (row) => (row.isOwn ? `own, default ${defaults.get(row.name)}` : '') },
    ],
    rows,
  );
  return { json: view, text, exitCode: 0 };
}

/** Reads `a=1 b.c=default` as `{ a: 1, b: { c: null } }`. *Errors* `cli.change_invalid`. */
export function parseChanges(changes: readonly string[]): Record<string, unknown> {
  const parsed: Record<string, unknown> = {};
  for (const change of changes) {
    const [, name, inner, value] = /^(\w+)(?:\.(\w+))?=(\d+|default)$/.exec(change) ?? [];
    if (name === undefined || value === undefined) {
      throw new AppError('cli.change_invalid', `${change}: NAME=WHOLE NUMBER or NAME=default is expected`, {
        status: 400,
      });
    }
    const figure = value === 'default' ? null : Number(value);
    if (inner === undefined) parsed[name] = figure;
    else parsed[name] = { ...(parsed[name] as object | undefined), [inner]: figure };
  }
  return parsed;
}

function flatten(limits: object, prefix = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value === 'object' && value !== null)
      for (const [inner, figure] of flatten(value, `${prefix}${name}.`)) flat.set(inner, figure);
    else flat.set(`${prefix}${name}`, value);
  }
  return flat;
}
