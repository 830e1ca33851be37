import { describe, expect, test } from 'vitest';
import { nextState } from './tenant-lifecycle.ts';

describe("a tenant's life", () => {
  test('goes from active to suspended and back, and ends cancelled', () => {
    expect(nextState('active', 'suspend')).toBe('suspended');
    expect(nextState('suspended', 'resume')).toBe('active');
    expect(nextState('active', 'cancel')).toBe('cancelled');
    expect(nextState('suspended', 'cancel')).toBe('cancelled');
  });
  test.each([
    ['active', 'resume'],
    ['suspended', 'suspend'],
    ['cancelled', 'resume'],
    ['cancelled', 'suspend'],
    ['cancelled', 'cancel'],
  ] as const)('cannot go from %s by %s', (state, verb) => {
    expect(() => nextState(state, verb)).toThrowError(
      expect.objectContaining({ code: 'tenants.transition', status: 409 }),
    );
  });
});
