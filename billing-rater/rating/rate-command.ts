import { AppError, Decimal } from 'streams/contract';
import { createPlanRater, type RatedLine, RatePlan } from './plan.ts';

/** What the caller can correct in a file; `message` names file, line and field. */
export class InputError extends Error {}

const header = 'meter,quantity';

/** Reads a plan's text. *Errors* {@link InputError} naming each field that is wrong. */
export function parsePlan(file: string, text: string): RatePlan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${file}: not JSON: ${(error as Error).message}`);
  }
  const result = RatePlan.safeParse(value);
  if (result.success) return result.data;
  const wrong = result.error.issues.map(({ path, message }) => `${path.join('.') || 'the plan'}: ${message}`);
  throw new InputError(`${file}: ${wrong.join('; ')}`);
}

/** `meter,quantity`; a meter with a comma or a quote in it stands in quotes, as RFC 4180 has it. */
const rowPattern = /^(?:"((?:[^"]|"")*)"|([^",]*)),"?(-?\d+(?:\.\d+)?)"?$/;

/**
 * Prices rows of usage by a plan.
 *
 * *Shape* the first line is the header; empty lines at the end count for nothing.
 * *Errors* {@link InputError} with the number of the line, from 1.
 */
export async function rateUsage(
  file: string,
  rows: AsyncIterable<string> | Iterable<string>,
  plan: RatePlan,
): Promise<RatedLine[]> {
  const rater = createPlanRater(plan);
  let number = 0;
  let blankAt = 0;
  for await (const row of rows) {
    number += 1;
    const text = number === 1 ? row.replace(/^\uFEFF/, '') : row;
    const refuse = (why: string): never => {
      throw new InputError(`${file}: line ${number}: ${why}`);
    };
    if (number === 1) {
      if (text !== header) refuse(`the header is ${header}`);
      continue;
    }
    if (text === '') {
      blankAt ||= number;
      continue;
    }
    if (blankAt > 0) throw new InputError(`${file}: line ${blankAt}: empty`);
    const match = rowPattern.exec(text);
    if (match === null) return refuse(`${JSON.stringify(text.slice(0, 80))} is not ${header} with a decimal quantity`);
    const meter = match[1]?.replaceAll('""', '"') ?? match[2] ?? '';
    if (meter === '') refuse('meter: empty');
    try {
      rater.add(meter, Decimal.parse(match[3] ?? '', 'quantity'));
    } catch (error) {
      if (error instanceof AppError) refuse(`${error.field === undefined ? '' : `${error.field}: `}${error.message}`);
      throw error;
    }
  }
  if (number === 0) throw new InputError(`${file}: line 1: the header is ${header}`);
  try {
    return rater.lines();
  } catch (error) {
    if (error instanceof AppError) throw new InputError(`${file}: ${error.message}`);
    throw error;
  }
}

/** The answer as JSON text, a line a charge: `{"currency","lines":[{"meter","quantity","amount"}],"total"}`. */
export function* ratedText(plan: RatePlan, lines: readonly RatedLine[]): Iterable<string> {
  yield `{"currency":${JSON.stringify(plan.currency)},"lines":[`;
  for (const [index, { meter, quantity, amount, transactions }] of lines.entries()) {
    yield `${index === 0 ? '' : ','}\n{"meter":${JSON.stringify(meter)},"quantity":"${quantity}","amount":"${amount}"`;
    if (transactions !== undefined) {
      yield ',"transactions":[';
      for (let from = 0; from < transactions.length; from += 1000) {
        const some = transactions.slice(from, from + 1000).map((one) => `"${one}"`);
        yield `${from === 0 ? '' : ','}${some.join()}`;
      }
      yield ']';
    }
    yield '}';
  }
  yield `\n],"total":"${Decimal.sum(lines.map(({ amount }) => amount))}"}\n`;
}
