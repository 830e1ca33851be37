import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import { pulseSource, readSql } from '../clickhouse-query.ts';
import {
  attainmentSteps,
  barGauge,
  dashboardLink,
  errorSteps,
  fieldProperties,
  latencySteps,
  type Steps,
  stacked,
  stat,
  stateMappings,
  table,
  timeSeries,
} from '../panels.ts';
import { fleetUid, tenantUid } from '../uids.ts';

const sql = (name: string) => new URL(`./sql/${name}.sql`, import.meta.url);
const none: Steps = [[null, 'text']];
const someIsBad: Steps = [
  [null, 'green'],
  [1, 'red'],
];
const toTenant = {
  title: 'Open this tenant',
  url: `/d/${tenantUid}?var-tenant=\${__data.fields.Tenant}&\${__url_time_range}`,
};
const seriesToTenant = {
  title: 'Open this tenant',
  url: `/d/${tenantUid}?var-tenant=\${__field.labels.tenant}&\${__url_time_range}`,
};

const overview = [
  stat({
    title: 'Tenants by health, now',
    description:
      'Active tenants by the worst of their probes within 5 minutes of the end of the range. Unmeasured means that no probe reported: it is not good time.',
    sql: sql('health_now'),
    unit: units.Short,
    steps: none,
    width: 10,
    height: 4,
  })
    .overrideByName('Up', fieldProperties({ steps: [[null, 'green']] }))
    .overrideByName(
      'Degraded',
      fieldProperties({
        steps: [
          [null, 'text'],
          [1, 'yellow'],
        ],
      }),
    )
    .overrideByName(
      'Down',
      fieldProperties({
        steps: [
          [null, 'text'],
          [1, 'red'],
        ],
      }),
    )
    .overrideByName(
      'Unmeasured',
      fieldProperties({
        steps: [
          [null, 'text'],
          [1, 'orange'],
        ],
      }),
    ),
  stat({
    title: 'Service level of the fleet',
    description:
      'Good minutes ÷ measured minutes of all tenants in the range, and how many tenants are below the objective of 99.95 %. A minute is bad when a probe is down or more than 5 % of its requests failed.',
    sql: sql('attainment'),
    unit: units.PercentUnit,
    decimals: 3,
    steps: attainmentSteps,
    width: 8,
    height: 4,
  }).overrideByName('Tenants below objective', fieldProperties({ unit: units.Short, decimals: 0, steps: someIsBad })),
  stat({
    title: 'Freshness',
    description:
      'Age of the newest stored batch of metrics at the end of the range, and tenant-hours of the last two days whose roll-ups wait for newer points. Both grow when the consumer or the roll-up job is stuck.',
    sql: sql('freshness'),
    unit: units.Seconds,
    decimals: 0,
    steps: [
      [null, 'green'],
      [60, 'yellow'],
      [300, 'red'],
    ],
    width: 6,
    height: 4,
  }).overrideByName(
    'Hours behind',
    fieldProperties({
      unit: units.Short,
      decimals: 0,
      steps: [
        [null, 'green'],
        [500, 'yellow'],
      ],
    }),
  ),
  table({
    title: 'Tenants, worst first',
    description:
      'Down, then unmeasured, then degraded, then by service level. Attainment, error budget, failed requests and p95 are of the range; requests are its mean rate; customers the newest count within 3 hours. A dash was not measured. Click a tenant to open it.',
    sql: sql('tenants'),
    width: 24,
    height: 11,
  })
    .overrideByName('Tenant', fieldProperties({ link: toTenant, width: 170 }))
    .overrideByName('Health', fieldProperties({ mappings: stateMappings, colorCell: true, width: 110 }))
    .overrideByName(
      'Attainment',
      fieldProperties({ unit: units.PercentUnit, decimals: 3, steps: attainmentSteps, colorCell: true }),
    )
    .overrideByName(
      'Budget',
      fieldProperties({
        unit: units.PercentUnit,
        decimals: 0,
        steps: [
          [null, 'red'],
          [0, 'yellow'],
          [0.25, 'green'],
        ],
        colorCell: true,
      }),
    )
    .overrideByName(
      'Errors',
      fieldProperties({ unit: units.PercentUnit, decimals: 2, steps: errorSteps, colorCell: true }),
    )
    .overrideByName('p95', fieldProperties({ unit: units.Seconds, steps: latencySteps, colorCell: true }))
    .overrideByName('Requests', fieldProperties({ unit: units.RequestsPerSecond, decimals: 2 }))
    .overrideByName('Customers', fieldProperties({ unit: units.Short, decimals: 0 }))
    .overrideByName('Last batch', fieldProperties({ unit: 'dateTimeFromNow' })),
];

const service = [
  timeSeries({
    title: 'Bad minutes, ten worst tenants',
    description:
      'Minutes below the service level in each step of whole hours. Hours that were not measured have no bar.',
    sql: sql('bad_minutes'),
    unit: units.Minutes,
    minStep: '1h',
    width: 12,
    height: 8,
  }).overrideByRegexp('.*', fieldProperties({ link: seriesToTenant })),
  timeSeries({
    title: 'Failed requests, ten tenants with the most',
    description:
      'Requests with status code 500 or above ÷ all requests of a step. Above 5 % a minute is bad. Steps without a request have no point.',
    sql: sql('error_ratio'),
    unit: units.PercentUnit,
    width: 12,
    height: 8,
  }).overrideByRegexp('.*', fieldProperties({ link: seriesToTenant })),
  timeSeries({
    title: 'Latency p95, ten slowest tenants',
    description: '95th percentile of request durations from their histograms, linear within a bucket.',
    sql: sql('latency_p95'),
    unit: units.Seconds,
    width: 12,
    height: 8,
  }).overrideByRegexp('.*', fieldProperties({ link: seriesToTenant })),
  stacked(
    timeSeries({
      title: 'Active customers of the ISPs',
      description: 'Mean of each step of whole hours, from the hour roll-up, tenants on top of each other.',
      sql: sql('customers'),
      unit: units.Short,
      minStep: '1h',
      width: 12,
      height: 8,
    }),
  ).overrideByRegexp('.*', fieldProperties({ link: seriesToTenant })),
];

const pipeline = [
  stacked(
    timeSeries({
      title: 'Accepted by the doors',
      description:
        'Records accepted a second, by signal and time of receipt. A histogram point counts 1. Backfill of hours more than two days before the range is left out.',
      sql: sql('ingest_rate'),
      unit: units.CountsPerSecond,
      width: 12,
      height: 8,
    }),
  ),
  timeSeries({
    title: 'Ledger: accepted, duplicates, missing',
    description:
      'The first hand-overs of the conservation ledger by hour of occurrence. Missing is what the doors accepted and the store did not decode: anything but 0 wants a look with `pulse reconcile`.',
    sql: sql('ledger'),
    unit: units.Short,
    minStep: '1h',
    width: 12,
    height: 8,
  }).overrideByName('missing', [{ id: 'color', value: { mode: 'fixed', fixedColor: 'red' } }]),
  table({
    title: 'Conservation, settled days',
    description:
      'Every hand-over of the kept ledger over the settled days of the range: what one side handed on, what the next one took, and tenant-hours that balance. To rated, less may be taken than was handed over: values no meter selects. Mismatched must be 0; `pulse reconcile` shows which hour it is.',
    sql: sql('conservation'),
    width: 24,
    height: 7,
  })
    .overrideByName(
      'Mismatched',
      fieldProperties({
        steps: [
          [null, 'green'],
          [1, 'red'],
        ],
        colorCell: true,
      }),
    )
    .overrideByName('Newest day', fieldProperties({ unit: 'dateTimeAsIso' })),
  table({
    title: 'Dead letters',
    description:
      'Records that could not be stored, by tenant and error code. Their bytes are kept and can be replayed.',
    sql: sql('dead_letters'),
    width: 12,
    height: 8,
  })
    .overrideByName('Tenant', fieldProperties({ link: toTenant }))
    .overrideByName('Newest', fieldProperties({ unit: 'dateTimeFromNow' })),
  barGauge({
    title: 'Top usage: $meter',
    description:
      "The ten tenants that used most of the chosen meter in the range, in the meter's own unit. Customers and storage are means over the measured time.",
    sql: sql('top_usage'),
    unit: units.Short,
    width: 12,
    height: 8,
  }),
];

/** The operator's overview: which tenants are in trouble, is the service level kept, does the pipeline keep up, who uses most. */
export function fleetDashboard(): Dashboard {
  const dashboard = new DashboardBuilder('DotMac Pulse: fleet')
    .uid(fleetUid)
    .description('All ISPs at a glance: health, service level, errors, latency, customers, and the pipeline itself.')
    .tags(['dotmac', 'pulse'])
    .timezone('browser')
    .time({ from: 'now-24h', to: 'now' })
    .refresh('1m')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(dashboardLink('Tenant', tenantUid, 'One tenant in detail'))
    .withVariable(
      new QueryVariableBuilder('meter')
        .label('Meter')
        .description('What the usage panel counts')
        .datasource(pulseSource)
        .query(readSql(sql('meters')))
        .refresh(VariableRefresh.OnDashboardLoad)
        .sort(VariableSort.AlphabeticalAsc)
        .current({ selected: true, text: 'api_calls', value: 'api_calls' }),
    );
  for (const panel of overview) dashboard.withPanel(panel);
  dashboard.withRow(new RowBuilder('Service'));
  for (const panel of service) dashboard.withPanel(panel);
  dashboard.withRow(new RowBuilder('Pipeline and usage'));
  for (const panel of pipeline) dashboard.withPanel(panel);
  return dashboard.build();
}
