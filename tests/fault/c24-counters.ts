import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { createUsageClient, encodeCounter, periodOfInstant, type SentPoint, startMetering } from './usage-client.ts';

interface Scenario {
  readonly name: string;
  readonly points: readonly SentPoint[];
  /** What the writers really counted while they were watched. */
  readonly counted: bigint;
  /** False where caution may count less. */
  readonly exact: boolean;
}

interface Quality {
  readonly meters: readonly (Readonly<Record<string, number | null>> & { readonly meter: string })[];
}

/** A small generator of its own, so that a run can be repeated. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Points every `period` seconds of a writer that counts `growth` at most a step; the first value is counted since the start. */
function writer(random: (below: number) => number, begins: number, period: number, count: number, level: number) {
  let value = level;
  return Array.from({ length: count }, (_, index) => {
    value += random(1000) + (index === 0 ? 1 : 0);
    return { timeMs: begins + (index + 1) * period * 1000, value };
  });
}
const named = (points: readonly { timeMs: number; value: number }[], startMs: number): SentPoint[] =>
  points.map((point) => ({ ...point, startMs }));
const last = (points: readonly { value: number }[]) => BigInt(points.at(-1)?.value ?? 0);
const grown = (points: readonly { value: number }[]) => last(points) - BigInt(points[0]?.value ?? 0);
const merged = (...writers: readonly SentPoint[][]) => writers.flat().toSorted((a, b) => a.timeMs - b.timeMs);

/** What may happen to a counter, each with what was really counted: kept by the writers themselves, in whole numbers. */
function scenarios(seed: number, begins: number): Scenario[] {
  const random = randomOf(seed);
  const w = (from: number, period: number, count: number, level = 0) =>
    writer(random, begins + from * 1000, period, count, level);
  const [one, two, three] = [w(0, 15, 20), w(400, 15, 20), w(0, 20, 30, 500_000)];
  const [high, low] = [w(0, 20, 30, 500_000), w(7, 30, 20, 1000)];
  const [first, second] = [w(0, 20, 30), w(110, 20, 25)];
  const restarted = [...w(0, 10, 12, 90_000), ...w(130, 10, 20)];
  const resetAt = restarted.findIndex(({ value }, index) => index > 0 && value < (restarted[index - 1]?.value ?? 0));
  return [
    {
      name: 'reset by its start',
      points: [...named(one, begins), ...named(two, begins + 400_000)],
      counted: last(one) + last(two),
      exact: true,
    },
    {
      name: 'reset without a start',
      points: named(restarted, 0),
      counted: grown(restarted.slice(0, resetAt)) + last(restarted.slice(resetAt)),
      exact: true,
    },
    { name: 'unknown start', points: named(three, 0), counted: grown(three), exact: true },
    { name: 'unknown start, marked', points: named(three, three[0]?.timeMs ?? 0), counted: grown(three), exact: true },
    {
      name: 'gap',
      points: named(one, begins).filter((_, index) => index < 4 || index > 18),
      counted: last(one),
      exact: true,
    },
    {
      name: 'gap of seven minutes',
      points: named([...one.slice(0, 4), ...one.slice(4).map((p) => ({ ...p, timeMs: p.timeMs + 420_000 }))], begins),
      counted: last(one),
      exact: true,
    },
    {
      name: 'two writers without starts',
      points: merged(named(high, 0), named(low, 0)),
      counted: grown(high) + grown(low),
      exact: false,
    },
    {
      name: 'two writers with starts',
      points: merged(named(first, begins), named(second, begins + 110_000 + 1)),
      counted: last(first) + last(second),
      exact: false,
    },
  ];
}

/** C24: counters that begin again, begin unknown, fall silent, and are written by two. */
export const counters: FaultCheck = {
  id: 'C24',
  title: 'resets, unknown starts, gaps and overlapping writers',
  guarantee: 'a counter is never billed above what was really counted, and each is flagged',
  async run({ dir, size, deadline, progress }) {
    rmSync(join(dir, 'data'), { recursive: true, force: true });
    const pulse = await startMetering(dir);
    try {
      const client = await createUsageClient(() => pulse, 'isp-counters');
      // Over the edge of an hour, all in the past, and in the running month.
      const begins = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000 - 300_000;
      const rounds = size === 'full' ? 200 : 3;
      const sent: (Scenario & { readonly label: string })[] = [];
      const wrong: string[] = [];
      for (let round = 0; round < rounds && (size === 'short' || Date.now() < deadline - 120_000); round += 1) {
        const send = async (scenario: Scenario, index: number) => {
          const label = `if-${round}-${index}`;
          const points = [...scenario.points];
          // In two requests, the later half first, and a part of it twice.
          const middle = Math.floor(points.length / 2);
          for (const part of [points.slice(middle), points.slice(0, middle), points.slice(middle, middle + 3)]) {
            const headers = { 'content-type': 'application/x-protobuf' };
            const status = await client.post(pulse.otlpHttp, '/v1/metrics', encodeCounter(label, part), headers);
            if (status !== 200) wrong.push(`${label}: answered ${status}`);
          }
          sent.push({ ...scenario, label });
        };
        await Promise.all(scenarios(round + 1, begins).map(send));
        if (round % 50 === 49) progress(`${round + 1} of ${rounds} rounds sent`);
      }
      await client.settled();
      const period = periodOfInstant(begins);
      const billed = await billedByInterface(client, period);
      let excess = 0n;
      for (const { label, name, counted, exact } of sent) {
        const quantity = billed.get(label) ?? 0n;
        if (quantity > counted) excess += quantity - counted;
        if (quantity > counted || (exact && quantity !== counted) || quantity <= 0n) {
          wrong.push(`${name} (${label}): billed ${quantity} of ${counted}`);
        }
      }
      // The roll-up that flags follows by itself a little later than the facts.
      const flagged = ['resets', 'unknownStarts', 'gaps', 'gapSeconds', 'overlaps'];
      const missing = async () => {
        const { meters } = await client.get<Quality>(`/api/v1/billing/usage/quality?period=${period}`);
        const flags = meters.find(({ meter }) => meter === 'network_bytes');
        return flagged.filter((flag) => Number(flags?.[flag] ?? 0) < sent.length / 8);
      };
      await until(missing, (left) => left.length === 0, 30).catch((error: unknown) => {
        wrong.push(`not flagged in ${sent.length} counters: ${String(error)}`);
      });
      return {
        passed: wrong.length === 0,
        figure: `${sent.length} counters, ${excess} billed in excess`,
        details: wrong.slice(0, 20),
      };
    } finally {
      await pulse.stop();
    }
  },
};

interface Evidence {
  readonly rows: readonly { readonly subject: string; readonly value: string }[];
  readonly nextCursor: string | null;
}

async function billedByInterface(client: { get<T>(path: string): Promise<T> }, period: string) {
  const billed = new Map<string, bigint>();
  let cursor: string | null = '0';
  while (cursor !== null) {
    const page: Evidence = await client.get(
      `/api/v1/billing/usage/network_bytes/evidence?period=${period}&limit=1000&cursor=${cursor}`,
    );
    for (const { subject, value } of page.rows) {
      const label = subject.replace('network.interface.name=', '');
      billed.set(label, (billed.get(label) ?? 0n) + BigInt(value));
    }
    cursor = page.nextCursor;
  }
  return billed;
}
