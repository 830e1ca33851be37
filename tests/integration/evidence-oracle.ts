/** Recomputes the stated aggregate of an invoice line from its evidence rows, with integers only and none of the product's own arithmetic. */
export interface EvidenceRow {
  readonly value?: string;
  readonly seconds?: string;
  readonly covered_seconds?: number;
  readonly period_seconds?: number;
}

const scale = 10n ** 12n;

/** A decimal string as units of 10⁻¹². */
export function scaled(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(text);
  if (match === null) throw new Error(`${text} is no decimal of at most 12 digits`);
  const [, sign, whole = '0', fraction = ''] = match;
  const value = BigInt(whole) * scale + BigInt(fraction.padEnd(12, '0'));
  return sign === '-' ? -value : value;
}

const ceilDivide = (a: bigint, b: bigint) => (a + b - 1n) / b;

/** a / b rounded half to even, for a ≥ 0 and b > 0. */
function halfEven(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  const twice = 2n * (a % b);
  return twice > b || (twice === b && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

const sum = (rows: readonly EvidenceRow[], field: 'value' | 'seconds') =>
  rows.reduce((total, row) => total + scaled(row[field] ?? '0'), 0n);

/** The rules by how the aggregate is worded; units of 10⁻¹². A wording that is not known here fails the test. */
const rules: readonly {
  readonly wording: RegExp;
  compute(rows: readonly EvidenceRow[], match: RegExpExecArray): bigint;
}[] = [
  { wording: /^sum\(value\)$/, compute: (rows) => sum(rows, 'value') },
  {
    wording: /^sum\(value\) \/ sum\(seconds\), rounded up to a whole unit/,
    compute: (rows) => {
      const seconds = sum(rows, 'seconds');
      return seconds === 0n ? 0n : ceilDivide(sum(rows, 'value'), seconds) * scale;
    },
  },
  {
    wording: /^sum\(value\) \/ (\d+) \/ (\d+), to 12 digits half-even/,
    compute: (rows, [, size = '', seconds = '']) => halfEven(sum(rows, 'value'), BigInt(size) * BigInt(seconds)),
  },
  {
    wording: /^covered_seconds \/ period_seconds of the subscription record, to 12 digits half-even/,
    compute: ([row]) => halfEven(BigInt(row?.covered_seconds ?? 0) * scale, BigInt(row?.period_seconds ?? 0)),
  },
];

export function recompute(aggregate: string, rows: readonly EvidenceRow[]): bigint {
  for (const { wording, compute } of rules) {
    const match = wording.exec(aggregate);
    if (match !== null) return compute(rows, match);
  }
  throw new Error(`the aggregate "${aggregate}" is not known to the oracle`);
}
