import { PanelBuilder as BarGaugePanel } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  type DashboardLink,
  DashboardLinkBuilder,
  DashboardLinkType,
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelinePanel } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesPanel } from '@grafana/grafana-foundation-sdk/timeseries';
import { clickHouseQuery, pulseSource } from './clickhouse-query.ts';

/** What every panel says of itself. *Units* `width` of 24 columns, `height` in rows of 30 pixels. */
export interface PanelText {
  readonly title: string;
  /** What is shown, its units, and which way it errs; Grafana shows it at the panel's corner. */
  readonly description: string;
  readonly sql: URL;
  readonly width: number;
  readonly height: number;
}

/** Colour from a value on; the first step has no value. */
export type Steps = readonly (readonly [from: number | null, color: 'green' | 'yellow' | 'orange' | 'red' | 'text'])[];

const thresholds = (steps: Steps) =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps.map(([value, color]) => ({ value, color })));

/** States of probes and tenants, by number. Colours go with words, so that they are not the only sign. */
export const stateMappings: ValueMapping[] = [
  {
    type: MappingType.ValueToText,
    options: {
      '0': { text: 'up', color: 'green', index: 0 },
      '1': { text: 'degraded', color: 'yellow', index: 1 },
      '2': { text: 'down', color: 'red', index: 2 },
      '3': { text: 'unmeasured', color: 'text', index: 3 },
    },
  },
];

/** Attainment against the objective of 99.95 % and the bands of the sample rate card's credits. */
export const attainmentSteps: Steps = [
  [null, 'red'],
  [0.99, 'orange'],
  [0.999, 'yellow'],
  [0.9995, 'green'],
];
/** *Source* the service level's own limit: a minute with more than 5 % failed requests is bad. */
export const errorSteps: Steps = [
  [null, 'green'],
  [0.01, 'yellow'],
  [0.05, 'red'],
];
/** Seconds. Defaults of ours. */
export const latencySteps: Steps = [
  [null, 'green'],
  [0.5, 'yellow'],
  [1, 'red'],
];

const base = <P extends TimeSeriesPanel | StatPanel | TablePanel | StateTimelinePanel | BarGaugePanel>(
  panel: P,
  text: PanelText,
): P => {
  panel.title(text.title).description(text.description).datasource(pulseSource).span(text.width).height(text.height);
  return panel;
};

/** Lines over time, a legend with the last value, all series in one tooltip, gaps left open. */
export function timeSeries(text: PanelText & { readonly unit: string; readonly minStep?: string }): TimeSeriesPanel {
  const panel = base(new TimeSeriesPanel(), text)
    .withTarget(clickHouseQuery(text.sql, 'time-series'))
    .unit(text.unit)
    .interval(text.minStep ?? '1m')
    .maxDataPoints(300)
    .lineWidth(1)
    .fillOpacity(8)
    .showPoints(VisibilityMode.Auto)
    .axisSoftMin(0)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  return panel.colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName));
}

/** {@link timeSeries} with the values of a step on top of each other. */
export const stacked = (panel: TimeSeriesPanel): TimeSeriesPanel =>
  panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal)).fillOpacity(35);

/** One number a column of the answer, coloured by thresholds. */
export function stat(
  text: PanelText & { readonly unit: string; readonly steps: Steps; readonly decimals?: number },
): StatPanel {
  const panel = base(new StatPanel(), text)
    .withTarget(clickHouseQuery(text.sql, 'table'))
    .unit(text.unit)
    .thresholds(thresholds(text.steps))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .textMode(BigValueTextMode.ValueAndName)
    .noValue('not measured')
    .reduceOptions(new ReduceDataOptionsBuilder().values(false).calcs(['lastNotNull']).fields('/.*/'));
  return text.decimals === undefined ? panel : panel.decimals(text.decimals);
}

/** Rows as they come. */
export function table(text: PanelText): TablePanel {
  return base(new TablePanel(), text).withTarget(clickHouseQuery(text.sql, 'table')).filterable(true).noValue('–');
}

/** What each component was over time. */
export function stateTimeline(text: PanelText): StateTimelinePanel {
  return base(new StateTimelinePanel(), text)
    .withTarget(clickHouseQuery(text.sql, 'time-series'))
    .interval('5m')
    .maxDataPoints(288)
    .mappings(stateMappings)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .mergeValues(true)
    .fillOpacity(75)
    .lineWidth(0);
}

/** One bar a row, by the row's number. */
export function barGauge(text: PanelText & { readonly unit: string }): BarGaugePanel {
  return base(new BarGaugePanel(), text)
    .withTarget(clickHouseQuery(text.sql, 'table'))
    .unit(text.unit)
    .orientation(VizOrientation.Horizontal)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.ContinuousBlues))
    .reduceOptions(new ReduceDataOptionsBuilder().values(true).calcs([]).fields('').limit(10));
}

/** Properties of a field by name: unit, thresholds, colour of the cell, link. */
export function fieldProperties(options: {
  readonly unit?: string;
  readonly decimals?: number;
  readonly steps?: Steps;
  readonly mappings?: readonly ValueMapping[];
  readonly colorCell?: boolean;
  readonly link?: { readonly title: string; readonly url: string };
  readonly width?: number;
}): { id: string; value: unknown }[] {
  const all: [string, unknown][] = [
    ['unit', options.unit],
    ['decimals', options.decimals],
    ['thresholds', options.steps && thresholds(options.steps).build()],
    ['mappings', options.mappings],
    ['custom.cellOptions', options.colorCell === true ? { type: 'color-text' } : undefined],
    ['links', options.link && [{ ...options.link, targetBlank: false }]],
    ['custom.width', options.width],
  ];
  return all.filter(([, value]) => value !== undefined).map(([id, value]) => ({ id, value }));
}

/** A link at the top of a dashboard to another one, with the range kept. */
export const dashboardLink = (title: string, uid: string, tooltip: string): { build(): DashboardLink } =>
  new DashboardLinkBuilder(title)
    .type(DashboardLinkType.Link)
    .url(`/d/${uid}`)
    .tooltip(tooltip)
    .keepTime(true)
    .includeVars(false)
    .icon('dashboard');
