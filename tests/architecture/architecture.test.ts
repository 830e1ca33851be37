import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findViolations, readSources, rules } from './rules.ts';

const root = join(import.meta.dirname, '../..');
const fixtures = join(import.meta.dirname, 'fixtures');

describe('the architecture', () => {
  test('is kept by every file of the project', () => {
    expect(findViolations(root)).toEqual([]);
  });

  test('is read from real files: the check would see nothing if it looked in the wrong place', () => {
    expect(readSources(root).length).toBeGreaterThan(50);
  });
});

describe('each rule', () => {
  test('has a fixture that breaks it', () => {
    expect(readdirSync(fixtures).toSorted()).toEqual(Object.keys(rules).toSorted());
  });

  test.each(Object.keys(rules))('%s fails on its fixture and nothing else does', (rule) => {
    const found = findViolations(join(fixtures, rule));
    expect(found.length).toBeGreaterThan(0);
    expect([...new Set(found.map((violation) => violation.rule))]).toEqual([rule]);
  });
});
