import { buildBodies, load, openDoor } from './door.ts';
import { type BenchResult, summarise } from './results.ts';

const rounds = 7;
const roundMs = 2500;
/** As many senders as a small fleet of containers: they share the log's syncs. */
const senders = 64;

/** Acknowledged requests a second, with the log synced before each acknowledgment, over the same server whose log is not synced. */
export async function durableAck(): Promise<BenchResult[]> {
  const bodies = buildBodies(256);
  const durable = await openDoor({ durable: true });
  const without = await openDoor({ durable: false });
  const rates = { durable: [] as number[], without: [] as number[] };
  const once = async (door: typeof durable) => {
    const { latenciesMs, seconds } = await load(door, bodies, { senders, ms: roundMs });
    return latenciesMs.length / seconds;
  };
  await once(durable);
  await once(without);
  for (let round = 0; round < rounds; round += 1) {
    // Interleaved, and each first in turn: a neighbour on the machine slows both.
    const order = round % 2 === 0 ? (['durable', 'without'] as const) : (['without', 'durable'] as const);
    for (const name of order) rates[name].push(await once(name === 'durable' ? durable : without));
  }
  // Both logs hold exactly what was acknowledged; otherwise this throws.
  await durable.close();
  await without.close();
  const ratios = rates.durable.map((rate, round) => rate / (rates.without[round] ?? Number.NaN));
  return [
    summarise('durable-ack', 'acknowledged requests ÷ same without sync', 'ratio', ratios, {
      pass: 0.7,
      aim: 0.85,
      better: 'higher',
    }),
    summarise('durable-ack.requests', 'acknowledged, synced', 'requests/s', rates.durable, { better: 'higher' }),
    summarise('durable-ack.unsynced', 'acknowledged, not synced', 'requests/s', rates.without, { better: 'higher' }),
  ];
}
