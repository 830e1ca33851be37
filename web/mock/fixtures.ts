import type {
  DecisionView,
  FleetRow,
  Invoice,
  InvoiceLine,
  SlaReport,
  Tenant,
  TenantId,
  UsageReport,
} from 'streams/contract';

/** Pseudo-random numbers in [0, 1) from a text: the same text gives the same sequence. *Source* FNV-1a and mulberry32. */
export function seeded(text: string): () => number {
  let state = 2166136261;
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const longName =
  'Cooperativa de Telecomunicaciones y Servicios Digitales Rurales de la Provincia del Alto Paraná y Comarcas del Norte Limitada';
const rtlName = 'شركة النور للإنترنت والاتصالات';

type Seed = readonly [
  id: string,
  name: string,
  tier: Tenant['tier'],
  plan: Tenant['plan'],
  region: string,
  currency: string,
  zone: string,
  customers: number,
];
const seeds: readonly Seed[] = [
  ['this-machine', 'This machine', 'small', 'professional', 'eu-west', 'USD', 'UTC', 0],
  ['northwind-fibre', 'Northwind Fibre', 'large', 'enterprise', 'eu-west', 'EUR', 'Europe/Dublin', 4280],
  ['harbour-net', 'Harbour Net', 'medium', 'professional', 'eu-west', 'EUR', 'Europe/Amsterdam', 1860],
  ['alto-parana', longName.slice(0, 120), 'medium', 'enterprise', 'sa-east', 'USD', 'America/Asuncion', 2210],
  ['al-noor', rtlName, 'small', 'basic', 'me-central', 'USD', 'Asia/Dubai', 640],
  ['prairie-link', 'Prairie Link', 'small', 'basic', 'us-east', 'USD', 'America/Chicago', 512],
  ['savanna-wireless', 'Savanna Wireless', 'xlarge', 'enterprise', 'af-south', 'USD', 'Africa/Nairobi', 9420],
  ['kestrel-broadband', 'Kestrel Broadband', 'medium', 'professional', 'eu-west', 'EUR', 'Europe/London', 1495],
  ['blue-reef', 'Blue Reef Internet', 'micro', 'basic', 'ap-south', 'USD', 'Pacific/Auckland', 74],
  ['mistral-telecom', 'Mistral Télécom', 'large', 'professional', 'eu-west', 'EUR', 'Europe/Paris', 3105],
  ['copper-canyon', 'Copper Canyon Networks', 'small', 'professional', 'us-west', 'USD', 'America/Denver', 388],
  ['lumen-valley', 'Lumen Valley', 'medium', 'basic', 'us-west', 'USD', 'America/Los_Angeles', 1120],
];

const cities = ['Aspen', 'Birch', 'Cedar', 'Delta', 'Ember', 'Fjord', 'Granite', 'Hazel', 'Iris', 'Juniper'];

function toTenant([id, name, tier, plan, region, currency, timeZone]: Seed): Tenant {
  const brand = id as TenantId;
  return {
    id: brand,
    name,
    tier,
    plan,
    region,
    currency,
    timeZone,
    partnerId: null,
    state: 'active',
    createdAt: '2026-08-12T09:00:00Z',
  };
}

/** A fleet of any size: twelve named tenants, then generated ones. */
export function fleetOf(size: number): FleetRow[] {
  const rows: FleetRow[] = [];
  for (let index = 0; index < size; index += 1) {
    const seed = seeds[index];
    const generated: Seed = [
      `isp-${index}`,
      `${cities[index % 10] ?? 'North'} Network ${index}`,
      'small',
      'basic',
      'us-east',
      'USD',
      'UTC',
      200 + ((index * 37) % 900),
    ];
    rows.push(toFleetRow(seed ?? generated));
  }
  return rows;
}

const healths: Readonly<Record<string, FleetRow['health']>> = {
  'harbour-net': 'degraded',
  'prairie-link': 'down',
  'blue-reef': 'unmeasured',
};

function toFleetRow(seed: Seed): FleetRow {
  const tenant = toTenant(seed);
  const random = seeded(tenant.id);
  const health = healths[tenant.id] ?? 'up';
  const customers = seed[7];
  const report = slaOf(tenant, new Date().toISOString().slice(0, 7), Date.now());
  const unmeasured = health === 'unmeasured';
  return {
    tenant,
    health,
    lastSeenAt: unmeasured ? null : new Date(Date.now() - random() * 50_000).toISOString(),
    attainment: unmeasured ? null : report.attainment,
    budgetRemaining: unmeasured ? null : report.budgetRemaining,
    budgetRemainingSeconds:
      unmeasured || report.budgetRemaining === null
        ? null
        : report.budgetRemaining * (1 - report.objective) * report.measuredSeconds,
    customers: customers === 0 || unmeasured ? null : customers,
    customersTrend: Array.from({ length: 30 }, (_, day) =>
      customers === 0 || unmeasured
        ? null
        : day === 11
          ? null
          : Math.round(customers * (0.93 + day * 0.0024 + random() * 0.012)),
    ),
  };
}

const dayS = 86_400;

/** Service level of a period up to now, with a day without measurement and a few bad minutes. */
export function slaOf(tenant: Tenant, period: string, now: number): SlaReport {
  const random = seeded(`${tenant.id}${period}`);
  const [year = 2026, month = 1] = period.split('-').map(Number);
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const start = Date.UTC(year, month - 1, 1);
  const days: SlaReport['days'] = [];
  for (let index = 0; index < daysInMonth; index += 1) {
    const begin = start + index * dayS * 1000;
    const length = Math.min(dayS, Math.floor((now - begin) / 1000));
    if (length <= 0) break;
    const unmeasured = index === 7 ? Math.floor(length * 0.6) : random() < 0.15 ? Math.floor(random() * 4000) : 0;
    const badToday =
      tenant.id === 'prairie-link' && index > 12 ? 2400 : random() < 0.12 ? Math.floor(random() * 260) : 0;
    const bad = Math.min(badToday, length - unmeasured);
    const measured = length - unmeasured;
    days.push({
      day: `${period}-${String(index + 1).padStart(2, '0')}`,
      attainment: measured === 0 ? null : 1 - bad / measured,
      measuredSeconds: measured,
      unmeasuredSeconds: unmeasured,
      badSeconds: bad,
    });
  }
  const sum = (pick: (day: SlaReport['days'][number]) => number) => days.reduce((total, day) => total + pick(day), 0);
  const [measuredSeconds, badSeconds] = [sum((day) => day.measuredSeconds), sum((day) => day.badSeconds)];
  const objective = 0.9995;
  return {
    tenant: tenant.id,
    period,
    timeZone: tenant.timeZone,
    objective,
    attainment: measuredSeconds === 0 ? null : 1 - badSeconds / measuredSeconds,
    measuredSeconds,
    unmeasuredSeconds: sum((day) => day.unmeasuredSeconds),
    badSeconds,
    budgetRemaining: measuredSeconds === 0 ? null : 1 - badSeconds / ((1 - objective) * measuredSeconds),
    days,
  };
}

const cents = (amount: bigint) => `${amount / 100n}.${String(amount % 100n).padStart(2, '0')}`;

/** A draft invoice; amounts are worked in whole cents. */
export function invoiceOf(row: FleetRow, period: string): Invoice {
  const { tenant } = row;
  const id = `draft-${tenant.id}-${period}`;
  const customers = BigInt(row.customers ?? 0);
  const least = (a: bigint, b: bigint) => (a < b ? a : b);
  const over = (limit: bigint) => (customers > limit ? customers - limit : 0n);
  const tiers = [
    { description: '1 to 500', quantity: least(customers, 500n), unitPrice: '0.90', price: 90n },
    { description: '501 to 1,500', quantity: least(over(500n), 1000n), unitPrice: '0.70', price: 70n },
    { description: '1,501 to 5,000', quantity: least(over(1500n), 3500n), unitPrice: '0.50', price: 50n },
    { description: 'above 5,000', quantity: over(5000n), unitPrice: '0.35', price: 35n },
  ].filter((tier) => tier.quantity > 0n);
  const fees = { micro: 2900n, small: 9900n, medium: 24900n, large: 59900n, xlarge: 129900n } as const;
  const evidence = (line: string) => `/api/v1/billing/invoices/${id}/lines/${line}/evidence`;
  const customersAmount = tiers.reduce((sum, tier) => sum + tier.quantity * tier.price, 0n);
  const fee: InvoiceLine = {
    id: 'tier-fee',
    kind: 'fee',
    item: 'tier_fee',
    description: `Tier fee, ${tenant.tier}`,
    quantity: '0.677083333333',
    unit: 'month',
    unitPrice: cents(fees[tenant.tier]),
    pricing: [],
    amount: cents((fees[tenant.tier] * 677083n + 500000n) / 1000000n),
    aggregation: 'seconds of the period with this subscription ÷ seconds of the period',
    evidence: evidence('tier-fee'),
  };
  const lines: InvoiceLine[] = [
    fee,
    {
      id: 'active-customers',
      kind: 'usage',
      item: 'active_customers',
      description: 'Active ISP customers',
      quantity: String(customers),
      unit: 'customers',
      unitPrice: null,
      pricing: tiers.map((tier) => ({
        description: tier.description,
        quantity: String(tier.quantity),
        unitPrice: tier.unitPrice,
        amount: cents(tier.quantity * tier.price),
      })),
      amount: cents(customersAmount),
      aggregation: 'time-weighted average over the period, rounded up',
      evidence: evidence('active-customers'),
    },
    {
      id: 'api-calls',
      kind: 'usage',
      item: 'api_calls',
      description: 'API calls',
      quantity: '1284730',
      unit: 'calls',
      unitPrice: null,
      pricing: [
        { description: 'first 100,000, included', quantity: '100000', unitPrice: '0', amount: '0' },
        {
          description: '100,001 to 10,000,000, a started 1,000',
          quantity: '1185',
          unitPrice: '0.40',
          amount: '474.00',
        },
      ],
      amount: '474.00',
      aggregation: 'sum of the values of the usage events',
      evidence: evidence('api-calls'),
    },
    {
      id: 'storage',
      kind: 'usage',
      item: 'storage_gb',
      description: 'Storage above the tier',
      quantity: '12.482910156250',
      unit: 'GB-months',
      unitPrice: '0.12',
      pricing: [],
      amount: '1.50',
      aggregation: 'time-weighted average of bytes ÷ 2³⁰, less what the tier includes',
      evidence: evidence('storage'),
    },
  ];
  const total = lines.reduce((sum, line) => sum + BigInt(line.amount.replace('.', '')), 0n);
  return {
    id,
    tenant: tenant.id,
    period,
    start: `${period}-01T00:00:00Z`,
    end: new Date(Date.UTC(Number(period.slice(0, 4)), Number(period.slice(5)), 1)).toISOString(),
    state: 'draft',
    currency: tenant.currency,
    timeZone: tenant.timeZone,
    lines,
    total: cents(total),
    rateCard: { id: 'standard-2026', version: 3 },
    knownAt: '1:88412',
    asOf: new Date(Date.now() - 45_000).toISOString(),
  };
}

/** Usage of the period, a meter a row. */
export function usageOf(row: FleetRow, period: string): UsageReport {
  const invoice = invoiceOf(row, period);
  const meters = [
    ['active_customers', String(row.customers ?? 0), 'customers', 'time-weighted average, rounded up', 8064],
    ['api_calls', '1284730', 'calls', 'sum of event values', 41_922],
    ['storage_gb', '62.482910156250', 'GB-months', 'time-weighted average', 8064],
    ['payments', '48210.55', row.tenant.currency, 'sum of event values', 2310],
    ['plugin_calls', '9921', 'calls', 'sum of event values', 9921],
  ] as const;
  return {
    tenant: row.tenant.id,
    period,
    start: invoice.start,
    end: invoice.end,
    asOf: invoice.asOf,
    meters: meters.map(([meter, quantity, unit, aggregation, events]) => ({
      meter,
      quantity,
      unit,
      aggregation,
      events,
      evidence: `/api/v1/billing/usage/${meter}/evidence?tenant=${row.tenant.id}&period=${period}`,
    })),
  };
}

const diff = `  apiVersion: v1
  kind: ResourceQuota
  metadata:
    name: tenant-quota
    namespace: dotmac-northwind-fibre
  spec:
    hard:
-     limits.cpu: "4"
-     limits.memory: 8Gi
+     limits.cpu: "8"
+     limits.memory: 16Gi
      requests.storage: 100Gi`;

/** Decisions of a tenant: one that waits, one that was planned, one that a gate stopped. */
export function decisionsOf(tenant: Tenant, now: number): DecisionView[] {
  if (tenant.id !== 'northwind-fibre' && tenant.id !== 'savanna-wireless') return [];
  const at = (hours: number) => new Date(now - hours * 3_600_000).toISOString();
  const make = (
    id: string,
    hours: number,
    state: DecisionView['state'],
    reason: string,
    outcomes: DecisionView['outcomes'],
  ): DecisionView => ({
    id: `${tenant.id}-${id}`,
    tenantId: tenant.id,
    kind: 'scale',
    action: { name: 'scale_tier', parameters: { from: 'large', to: 'xlarge' } },
    reason,
    evidence: {
      query:
        "SELECT toStartOfInterval(time, INTERVAL 5 MINUTE) AS bucket, avg(value) AS cpu\nFROM samples\nWHERE tenant = {tenant:UInt32} AND metric = 'container.cpu.usage'\nGROUP BY bucket ORDER BY bucket",
      parameters: { tenant: 2 },
      values: { cpu_mean: 3.41, cpu_limit: 4, minutes_above: 47 },
      freshAsOf: at(hours),
      link: `/api/v1/telemetry/metrics/range?tenant=${tenant.id}&metric=container.cpu.usage`,
    },
    policyVersion: 'scaling-1',
    counterfactual: 'Requests queue in the evening peak; the 95th percentile of the response time passes 2 s.',
    proposedAt: at(hours),
    expiresAt: at(hours - 24),
    idempotencyKey: id,
    state,
    outcomes,
  });
  const gates = (fresh: boolean) => [
    {
      gate: 'freshness',
      passed: fresh,
      reason: fresh ? 'newest datum is 40 s old' : 'newest datum is 22 min old, at most 5 min allowed',
    },
    { gate: 'cool_down', passed: true, reason: 'last change 19 d ago' },
  ];
  const plan = { objects: [{ kind: 'ResourceQuota' }, { kind: 'Deployment' }], diff };
  return [
    make('d3', 0.4, 'open', 'CPU stayed above 80 % of the tier limit for 47 minutes', [
      {
        state: 'open',
        at: at(0.3),
        actor: 'orchestrator',
        gates: gates(true),
        detail: 'All gates passed; waits for approval.',
        plan,
      },
    ]),
    make('d2', 31, 'blocked', 'CPU stayed above 80 % of the tier limit for 32 minutes', [
      {
        state: 'blocked',
        at: at(30.9),
        actor: 'orchestrator',
        gates: gates(false),
        detail: 'Not carried out: the evidence was too old.',
        plan: null,
      },
    ]),
    make('d1', 480, 'planned', 'Storage passes the tier in 9 days at the present growth', [
      {
        state: 'planned',
        at: at(479),
        actor: 'operator',
        gates: gates(true),
        detail: 'Plan recorded; nothing was applied in plan mode.',
        plan,
      },
    ]),
  ];
}
