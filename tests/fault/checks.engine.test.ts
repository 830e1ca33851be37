import { describe, expect, test } from 'vitest';
import { checks } from './checks.ts';
import { testShortForms } from './short-forms.ts';

describe('what must hold under fault and attack (short forms; full forms by npm run test:fault)', () => {
  test('every check has its own number', () => {
    expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
  });
  testShortForms(checks.filter(({ needs }) => needs === undefined));
});
