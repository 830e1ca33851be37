/** Addresses of the dashboards in Grafana: `/d/UID`. They stay, because people keep links. */
export const fleetUid = 'pulse-fleet';
export const tenantUid = 'pulse-tenant';
