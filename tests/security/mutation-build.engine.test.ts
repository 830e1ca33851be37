import { test } from 'vitest';
import { expectDatabaseToBlock } from './mutation-build.ts';

test('C29: a build without the tenant filter of the application shows no foreign row of the control plane', async () => {
  await expectDatabaseToBlock();
});
