import { AppError } from 'streams/contract';

/** Conditions on attributes as the queries take them: the same position of the three arrays is one condition. */
export interface AttributeConditions {
  readonly names: string[];
  readonly operators: string[];
  readonly values: string[];
}

const condition = /^([^=!~]{1,255}?)(=~|!~|!=|=)(.{0,1024})$/s;

function invalid(text: string, why: string): AppError {
  return new AppError('telemetry.filter_invalid', `"${text}": ${why}`, { status: 400, field: 'filter' });
}

/** Refuses what a JavaScript regular expression cannot read; the engine's own dialect (RE2) is narrower and refuses the rest itself. */
function assertPattern(text: string, pattern: string): void {
  try {
    new RegExp(pattern, 'v');
  } catch {
    try {
      new RegExp(pattern);
    } catch {
      throw invalid(text, 'not a regular expression');
    }
  }
  if (/\(\?[=!<]|\\[1-9]/.test(pattern)) throw invalid(text, 'look-around and back references are not supported');
}

/**
 * Reads `name=value`, `name!=value`, `name=~regex`, `name!~regex`; a regular expression must match the whole value.
 *
 * *Errors* `telemetry.filter_invalid` (400).
 */
export function parseFilters(filters: readonly string[] | undefined): AttributeConditions {
  const parsed: AttributeConditions = { names: [], operators: [], values: [] };
  for (const text of filters ?? []) {
    const [, name, operator, value] = condition.exec(text) ?? [];
    if (name === undefined || operator === undefined || value === undefined) {
      throw invalid(text, 'write name=value, name!=value, name=~regex or name!~regex');
    }
    const regex = operator.endsWith('~');
    if (regex) assertPattern(text, value);
    parsed.names.push(name.trim());
    parsed.operators.push(operator);
    parsed.values.push(regex ? `^(?:${value})$` : value);
  }
  return parsed;
}

/** Attribute names of a group-by: repeated, or with commas between them; `*` alone stands for every series. *Errors* `telemetry.group_invalid` (400). */
export function parseGroupBy(groupBy: readonly string[] | undefined): { names: string[]; every: boolean } {
  const names = [...new Set((groupBy ?? []).flatMap((text) => text.split(',')).map((name) => name.trim()))].filter(
    (name) => name !== '',
  );
  if (names.length > 16 || names.some((name) => name.length > 255) || (names.includes('*') && names.length > 1)) {
    throw new AppError('telemetry.group_invalid', 'group by at most 16 attributes, or by * alone', {
      status: 400,
      field: 'groupBy',
    });
  }
  return names[0] === '*' ? { names: [], every: true } : { names, every: false };
}
