import type { IconName } from '../components/icon.tsx';

export interface NavigationEntry {
  readonly id: string;
  readonly label: string;
  readonly short: string;
  readonly icon: IconName;
}

/** Sections of the tenant page in reading order; their ids are the anchors of the address. */
export const tenantSections: readonly NavigationEntry[] = [
  { id: 'service-level', label: 'Service level', short: 'Level', icon: 'gauge' },
  { id: 'decisions', label: 'Decisions', short: 'Decisions', icon: 'decision' },
  { id: 'charts', label: 'Telemetry', short: 'Charts', icon: 'chart' },
  { id: 'usage', label: 'Usage', short: 'Usage', icon: 'meter' },
  { id: 'invoice', label: 'Invoice', short: 'Invoice', icon: 'receipt' },
  { id: 'rejected', label: 'Rejected data', short: 'Rejected', icon: 'warning' },
  { id: 'logs', label: 'Logs', short: 'Logs', icon: 'log' },
];
