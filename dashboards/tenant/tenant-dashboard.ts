import { LogsSortOrder } from '@grafana/grafana-foundation-sdk/common';
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as LogsPanel } from '@grafana/grafana-foundation-sdk/logs';
import * as units from '@grafana/grafana-foundation-sdk/units';
import { clickHouseQuery, pulseSource, readSql } from '../clickhouse-query.ts';
import {
  attainmentSteps,
  dashboardLink,
  fieldProperties,
  type Steps,
  stacked,
  stat,
  stateTimeline,
  table,
  timeSeries,
} from '../panels.ts';
import { fleetUid, tenantUid } from '../uids.ts';

const sql = (name: string) => new URL(`./sql/${name}.sql`, import.meta.url);
const budgetSteps: Steps = [
  [null, 'red'],
  [0, 'yellow'],
  [0.25, 'green'],
];
const fixedColor = (color: string) => [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }];
/** The tier's limit as a dashed line without a fill. */
const limitLine = [
  ...fixedColor('orange'),
  { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } },
  { id: 'custom.fillOpacity', value: 0 },
];

const overview = [
  table({
    title: 'Tenant',
    description: 'Who it is, as the control plane has it; at most some seconds behind.',
    sql: sql('profile'),
    width: 12,
    height: 4,
  }),
  stat({
    title: 'Service level of the range',
    description:
      'Good minutes ÷ measured minutes against the objective of 99.95 %; the error budget left (0.05 % of the measured minutes); bad and unmeasured minutes. For the invoice’s figure choose the month in the zone of the tenant.',
    sql: sql('service_level'),
    unit: units.PercentUnit,
    decimals: 3,
    steps: attainmentSteps,
    width: 12,
    height: 4,
  })
    .overrideByName('Budget', fieldProperties({ unit: units.PercentUnit, decimals: 0, steps: budgetSteps }))
    .overrideByName(
      'Bad minutes',
      fieldProperties({
        unit: units.Short,
        decimals: 0,
        steps: [
          [null, 'green'],
          [1, 'yellow'],
        ],
      }),
    )
    .overrideByName('Unmeasured minutes', fieldProperties({ unit: units.Short, decimals: 0, steps: [[null, 'text']] })),
  stateTimeline({
    title: 'Components',
    description:
      'What the probes said of each component. A step is as bad as its worst point; a step without a point is unmeasured.',
    sql: sql('components'),
    width: 24,
    height: 7,
  }),
  stacked(
    timeSeries({
      title: 'Good, bad and unmeasured minutes',
      description: 'Minutes of each step of whole hours. Of the running hour the minutes to come count as unmeasured.',
      sql: sql('minutes'),
      unit: units.Minutes,
      minStep: '1h',
      width: 24,
      height: 6,
    }),
  )
    .overrideByName('good', fixedColor('green'))
    .overrideByName('bad', fixedColor('red'))
    .overrideByName('unmeasured', fixedColor('#8e8e8e')),
];

const traffic = [
  stacked(
    timeSeries({
      title: 'Requests by status',
      description: 'Requests a second by class of status code, from the request duration histograms.',
      sql: sql('requests'),
      unit: units.RequestsPerSecond,
      width: 8,
      height: 8,
    }),
  )
    .overrideByName('5xx', fixedColor('red'))
    .overrideByName('4xx', fixedColor('yellow'))
    .overrideByName('2xx', fixedColor('green')),
  timeSeries({
    title: 'Failed requests',
    description: 'Requests with status code 500 or above ÷ all requests. Above 5 % a minute is bad.',
    sql: sql('error_ratio'),
    unit: units.PercentUnit,
    width: 8,
    height: 8,
  }),
  timeSeries({
    title: 'Latency',
    description: 'Quantiles of request durations from their histograms, linear within a bucket.',
    sql: sql('latency'),
    unit: units.Seconds,
    width: 8,
    height: 8,
  }),
];

const capacity = [
  timeSeries({
    title: 'CPU against the tier',
    description: 'Cores in use, mean of each step, all containers added; the dashed line is what the tier includes.',
    sql: sql('cpu'),
    unit: units.Short,
    width: 8,
    height: 8,
  }).overrideByName('tier', limitLine),
  timeSeries({
    title: 'Memory against the tier',
    description: 'Mean of each step, all containers added; the dashed line is what the tier includes.',
    sql: sql('memory'),
    unit: units.BytesIEC,
    width: 8,
    height: 8,
  }).overrideByName('tier', limitLine),
  timeSeries({
    title: 'Storage against the tier',
    description:
      'Mean of each step of whole hours; the dashed line is what the tier includes. Above it storage is billed.',
    sql: sql('storage'),
    unit: units.BytesIEC,
    minStep: '1h',
    width: 8,
    height: 8,
  }).overrideByName('tier', limitLine),
  timeSeries({
    title: 'Network',
    description: 'Traffic by direction, all interfaces added. Bandwidth above 100 Mbit/s (95th percentile) is billed.',
    sql: sql('network'),
    unit: units.BitsPerSecondSI,
    width: 12,
    height: 8,
  }),
  timeSeries({
    title: 'Active customers',
    description: 'Mean of each step of whole hours. The bill takes the time-weighted average of the period.',
    sql: sql('customers'),
    unit: units.Short,
    minStep: '1h',
    width: 12,
    height: 8,
  }),
];

const usage = [
  table({
    title: 'Usage by meter',
    description:
      'What the range used, from the facts that bills are computed from. Calls and payments are sums, customers and storage (bytes) means over the measured time.',
    sql: sql('usage'),
    width: 8,
    height: 9,
  }).overrideByName('Quantity', fieldProperties({ unit: units.Short, decimals: 2 })),
  stacked(
    timeSeries({
      title: 'Calls and payments',
      description: "Usage a step, in the meter's own unit.",
      sql: sql('usage_over_time'),
      unit: units.Short,
      minStep: '15m',
      width: 8,
      height: 9,
    }),
  ),
  stacked(
    timeSeries({
      title: 'Open tickets',
      description: 'By priority, mean of each step of whole hours.',
      sql: sql('tickets'),
      unit: units.Short,
      minStep: '1h',
      width: 8,
      height: 9,
    }),
  ),
];

const evidence = [
  table({
    title: 'Traces: failed, then slowest',
    description: 'At most 100 traces with a span in the range. The id opens the trace in the Pulse API.',
    sql: sql('traces'),
    width: 24,
    height: 9,
  })
    .overrideByName('Duration', fieldProperties({ unit: units.Nanoseconds, decimals: 1 }))
    .overrideByName(
      'Errors',
      fieldProperties({
        steps: [
          [null, 'text'],
          [1, 'red'],
        ],
        colorCell: true,
      }),
    ),
  new LogsPanel()
    .title('Logs')
    .description('The newest 500 log records of the range that contain the text of “Search logs”.')
    .datasource(pulseSource)
    .withTarget(clickHouseQuery(sql('logs'), 'logs'))
    .showTime(true)
    .wrapLogMessage(true)
    .enableLogDetails(true)
    .sortOrder(LogsSortOrder.Descending)
    .span(24)
    .height(11),
];

/** One tenant in detail: health, service level, traffic, capacity against its tier, usage, and the evidence behind them. */
export function tenantDashboard(): Dashboard {
  const dashboard = new DashboardBuilder('DotMac Pulse: tenant')
    .uid(tenantUid)
    .description(
      'One ISP in detail: health, service level, requests, capacity against its tier, usage, traces and logs.',
    )
    .tags(['dotmac', 'pulse'])
    .timezone('browser')
    .time({ from: 'now-24h', to: 'now' })
    .refresh('1m')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(dashboardLink('Fleet', fleetUid, 'All tenants'))
    .withVariable(
      new QueryVariableBuilder('tenant')
        .label('Tenant')
        .description('The ISP that is shown')
        .datasource(pulseSource)
        .query(readSql(sql('tenants')))
        .refresh(VariableRefresh.OnDashboardLoad)
        .sort(VariableSort.AlphabeticalCaseInsensitiveAsc),
    )
    .withVariable(new TextBoxVariableBuilder('search').label('Search logs').defaultValue(''));
  const rows: [string, Parameters<DashboardBuilder['withPanel']>[0][]][] = [
    ['Traffic', traffic],
    ['Capacity', capacity],
    ['Usage and business', usage],
    ['Evidence', evidence],
  ];
  for (const panel of overview) dashboard.withPanel(panel);
  for (const [title, panels] of rows) {
    dashboard.withRow(new RowBuilder(title));
    for (const panel of panels) dashboard.withPanel(panel);
  }
  return dashboard.build();
}
