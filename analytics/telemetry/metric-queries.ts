import { defineQuery } from 'streams/store';
import { z } from 'zod';

const sql = (name: string): URL => new URL(`./sql/${name}.sql`, import.meta.url);
const tenant = z.number().int();
const ms = z.number().int();
const count = z.number();
const texts = z.array(z.string());
const conditions = { names: texts, operators: texts, values: texts };
/** An array of 64-bit ids as the engine reads it: JavaScript numbers would lose digits. */
const ids = z.string();
const groups = z.string();
/** Large columns are taken as the engine gives them: checking each number would cost more than reading it. */
const numbers = z.custom<number[]>((value) => Array.isArray(value));
const number = z.number().nullable();

/** See `sql/metrics.sql`. */
export const metricsQuery = defineQuery({
  file: sql('metrics'),
  params: z.object({
    tenant,
    prefix: z.string(),
    search: z.string(),
    afterName: z.string(),
    afterKind: z.string(),
    afterUnit: z.string(),
    limit: z.number(),
  }),
  row: z.object({ name: z.string(), kind: z.string(), unit: z.string(), series: count }),
});

/** See `sql/attribute_names.sql`. */
export const attributeNamesQuery = defineQuery({
  file: sql('attribute_names'),
  params: z.object({
    tenant,
    metric: z.string(),
    ...conditions,
    search: z.string(),
    after: z.string(),
    limit: z.number(),
  }),
  row: z.object({ name: z.string(), values: count, series: count }),
});

/** See `sql/attribute_values.sql`. */
export const attributeValuesQuery = defineQuery({
  file: sql('attribute_values'),
  params: z.object({
    tenant,
    metric: z.string(),
    attribute: z.string(),
    ...conditions,
    search: z.string(),
    first: z.number(),
    after: z.string(),
    limit: z.number(),
  }),
  row: z.object({ value: z.string(), series: count }),
});

/** See `sql/selection.sql`. */
export const selectionQuery = defineQuery({
  file: sql('selection'),
  params: z.object({
    tenant,
    metric: z.string(),
    kind: z.string(),
    ...conditions,
    every: z.number(),
    groupBy: texts,
    limit: z.number(),
  }),
  row: z.object({
    kind: z.string(),
    temporality: z.string(),
    monotonic: z.boolean(),
    unit: z.string(),
    bounds: z.array(z.number()),
    label: z.string(),
    count,
    ids: z.string(),
  }),
});
export type SelectionRow = z.infer<typeof selectionQuery.row>;

const chosen = { tenant, series: ids, groups };
const stepped = { ...chosen, start: ms, end: ms, step: ms };
const pointsRow = z.object({ grp: z.number(), points: z.string(), weight: number });
const rolled = { hourEnd: ms, minuteEnd: ms, prefixes: ids };

/** See `sql/range_levels.sql`. */
export const rangeLevelsQuery = defineQuery({
  file: sql('range_levels'),
  params: z.object({ ...stepped, limit: z.number() }),
  row: pointsRow,
});

const counted = { deltas: ids, lookback: ms, scale: z.number(), limit: z.number() };

/** See `sql/range_increase.sql`. */
export const rangeIncreaseQuery = defineQuery({
  file: sql('range_increase'),
  params: z.object({ ...stepped, ...counted }),
  row: pointsRow,
});

/** See `sql/range_rate_grid.sql`. */
export const rangeRateGridQuery = defineQuery({
  file: sql('range_rate_grid'),
  params: z.object({
    ...stepped,
    lookback: ms,
    last: ms,
    stepSeconds: z.number().int(),
    windowSeconds: z.number().int(),
    limit: z.number(),
  }),
  row: pointsRow,
});

/** See `sql/range_quantiles.sql`. */
export const rangeQuantilesQuery = defineQuery({
  file: sql('range_quantiles'),
  params: z.object({ ...stepped, level: z.number(), limit: z.number() }),
  row: pointsRow,
});

/** See `sql/roll_up_watermark.sql`. */
export const rollUpWatermarkQuery = defineQuery({
  file: sql('roll_up_watermark'),
  params: z.object({ tenant, start: ms, end: ms }),
  row: z.object({ firstDirty: ms.nullable() }),
});

/** See `sql/range_rolled_levels.sql`. */
export const rangeRolledLevelsQuery = defineQuery({
  file: sql('range_rolled_levels'),
  params: z.object({ ...stepped, ...rolled, limit: z.number() }),
  row: pointsRow,
});

/** See `sql/range_rolled_increase.sql`. */
export const rangeRolledIncreaseQuery = defineQuery({
  file: sql('range_rolled_increase'),
  params: z.object({ ...stepped, ...rolled, ...counted }),
  row: pointsRow,
});

const distribution = z.object({ ...stepped, lookback: ms });

/** See `sql/distribution_sums.sql`; `table` is one of the tables of distributions. */
export const distributionSumsQuery = defineQuery({
  file: sql('distribution_sums'),
  params: distribution.extend({ table: z.literal(['histograms', 'exponential_histograms', 'summaries']) }),
  row: z.object({ part: z.number(), slot: count, count, sum: number }),
});

/** See `sql/distribution_deltas.sql`. */
export const distributionDeltasQuery = defineQuery({
  file: sql('distribution_deltas'),
  params: z.object({ ...stepped, table: z.literal(['histograms', 'exponential_histograms']) }),
  row: z.object({ part: z.number(), slot: count, count, sum: number, min: number, max: number }),
});

/** See `sql/histogram_steps.sql`. */
export const histogramStepsQuery = defineQuery({
  file: sql('histogram_steps'),
  params: distribution,
  row: z.object({ part: z.number(), slot: count, counts: numbers }),
});

/** See `sql/histogram_ends.sql`; `broken` is 1 when a reset stands in the way of the short cut. */
export const histogramEndsQuery = defineQuery({
  file: sql('histogram_ends'),
  params: distribution,
  row: z.object({ part: z.number(), slot: count, counts: numbers, broken: z.number() }),
});

/** See `sql/histogram_deltas.sql`. */
export const histogramDeltasQuery = defineQuery({
  file: sql('histogram_deltas'),
  params: z.object(stepped),
  row: z.object({ part: z.number(), slot: count, counts: numbers }),
});

/** (scale, zero count, zero threshold, positive offset and counts, negative offset and counts) */
const exponential = z.tuple([z.number(), z.number(), z.number(), z.number(), numbers, z.number(), numbers]);
export type ExponentialTuple = z.infer<typeof exponential>;

/** See `sql/exponential_steps.sql`. */
export const exponentialStepsQuery = defineQuery({
  file: sql('exponential_steps'),
  params: distribution,
  row: z.object({ part: z.number(), slot: count, whole: z.number(), later: exponential, earlier: exponential }),
});

const side = z.tuple([numbers, numbers]);

/** See `sql/exponential_deltas.sql`. */
export const exponentialDeltasQuery = defineQuery({
  file: sql('exponential_deltas'),
  params: z.object(stepped),
  row: z.object({
    part: z.number(),
    slot: count,
    scale: z.number(),
    zero: z.number(),
    threshold: z.number(),
    positive: side,
    negative: side,
  }),
});

/** See `sql/summary_quantiles.sql`. */
export const summaryQuantilesQuery = defineQuery({
  file: sql('summary_quantiles'),
  params: z.object({ ...stepped, level: z.number() }),
  row: z.object({ part: z.number(), slot: count, value: number }),
});

/** See `sql/summary_levels.sql`. */
export const summaryLevelsQuery = defineQuery({
  file: sql('summary_levels'),
  params: z.object({ tenant, series: ids, start: ms, end: ms }),
  row: z.object({ levels: z.array(z.number()) }),
});

/** See `sql/points.sql`. */
export const pointsQuery = defineQuery({
  file: sql('points'),
  params: z.object({ ...chosen, start: ms, end: ms }),
  row: z.object({ id: z.string(), grp: z.number(), count, points: z.string() }),
});

/** See `sql/latest.sql`. */
export const latestQuery = defineQuery({
  file: sql('latest'),
  params: z.object({
    tenant,
    metric: z.string(),
    ...conditions,
    start: ms,
    end: ms,
    afterMetric: z.string(),
    afterSeries: z.string(),
    limit: z.number(),
  }),
  row: z.object({ metric: z.string(), unit: z.string(), label: z.string(), at: ms, value: count, id: z.string() }),
});
