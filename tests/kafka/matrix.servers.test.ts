import { afterAll, beforeAll, expect, test } from 'vitest';
import { kafkaChecks, openMatrix } from './matrix.ts';

let matrix: Awaited<ReturnType<typeof openMatrix>>;
beforeAll(async () => {
  matrix = await openMatrix();
});
afterAll(() => matrix.close());

test.each(kafkaChecks)('$name: count and sum equal the source, roll-ups too', { timeout: 180_000 }, async (check) => {
  const { figure, problems } = await matrix.run(check, 'short');
  expect({ figure, problems }).toEqual({ figure, problems: [] });
});
