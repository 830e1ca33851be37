import { describe, expect, test } from 'vitest';
import { checks } from './checks.ts';
import { testShortForms } from './short-forms.ts';

const listed = checks.filter(({ needs }) => needs !== undefined);

describe('what must hold under fault and attack, where it needs more than Node (short forms)', () => {
  test('each says what it needs', () => {
    expect(listed.map(({ needs }) => needs)).not.toContain('');
  });
  // Real servers, and several processes of Pulse, take their time to start.
  testShortForms(listed, 400);
});
