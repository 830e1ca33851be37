import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { fleetDashboard } from './fleet/fleet-dashboard.ts';
import { tenantDashboard } from './tenant/tenant-dashboard.ts';

const dir = join(import.meta.dirname, 'generated');

/** Every dashboard of this folder, as Grafana takes it. Equal sources give equal JSON. */
export const dashboards = (): Dashboard[] => [fleetDashboard(), tenantDashboard()].map(numbered);

/** Panels get their ids here, in order: Grafana would number them anew at every import and links to a panel would break. */
function numbered(dashboard: Dashboard): Dashboard {
  let id = 0;
  for (const panel of dashboard.panels ?? []) panel.id = ++id;
  return dashboard;
}

/** Text of the file of a dashboard. */
export const fileOf = (dashboard: Dashboard): { path: string; text: string } => ({
  path: join(dir, `${dashboard.uid}.json`),
  text: `${JSON.stringify(dashboard, null, 2)}\n`,
});

/** Run as a program: writes what changed and says so. */
if (process.argv[1] === import.meta.filename) {
  mkdirSync(dir, { recursive: true });
  for (const { path, text } of dashboards().map(fileOf)) {
    let before: string | null = null;
    try {
      before = readFileSync(path, 'utf8');
    } catch {
      // The first time there is none.
    }
    if (before === text) continue;
    writeFileSync(path, text);
    process.stdout.write(`wrote ${path}\n`);
  }
}
