import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { call } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { createUsageClient, encodeCounter, periodOfInstant, startMetering } from './usage-client.ts';

const dayMs = 86_400_000;

/** When an event occurred, seen from its receipt, and what must become of it. */
const cases = [
  { name: 'now', agoMs: 0, backfill: false, code: undefined, late: false },
  { name: 'in grace', agoMs: 2 * dayMs, backfill: false, code: undefined, late: false },
  { name: 'of the period before', agoMs: 25 * dayMs, backfill: false, code: undefined, late: false },
  { name: 'four minutes ahead', agoMs: -4 * 60_000, backfill: false, code: undefined, late: false },
  { name: 'six minutes ahead', agoMs: -6 * 60_000, backfill: false, code: 'ingest.event_in_future', late: false },
  {
    name: 'six minutes ahead with backfill',
    agoMs: -6 * 60_000,
    backfill: true,
    code: 'ingest.event_in_future',
    late: false,
  },
  { name: '36 days old', agoMs: 36 * dayMs, backfill: false, code: 'ingest.event_too_old', late: false },
  { name: '36 days old with backfill', agoMs: 36 * dayMs, backfill: true, code: undefined, late: true },
] as const;

interface Quality {
  readonly meters: readonly { readonly meter: string; readonly late: number }[];
}

/** C22: events that occurred long ago, in another period, or not yet. There are drafts only: an event after the period is in its draft again, and what an issued invoice does is the business of closing periods. */
export const lateEvents: FaultCheck = {
  id: 'C22',
  title: 'late and early events',
  guarantee:
    'each is in the draft of the period it occurred in, or refused with a code and counted; late telemetry is kept and not billed',
  async run({ dir, size, deadline }) {
    rmSync(join(dir, 'data'), { recursive: true, force: true });
    const pulse = await startMetering(dir);
    try {
      const client = await createUsageClient(() => pulse, 'isp-late');
      const made = await call<{ key?: string; apiKey?: string }>(pulse, '/api/v1/tenants/isp-late/api-keys', {
        body: { scopes: ['backfill'], expiresAt: new Date(Date.now() + dayMs).toISOString() },
      });
      const backfillKey = made.body.apiKey ?? made.body.key ?? '';
      const wrong: string[] = [];
      const expected = new Map<string, bigint>();
      let late = 0;
      let classified = 0;
      let total = 0;
      const refused = new Map<string, number>();
      const rounds = size === 'full' ? 100 : 3;
      for (let round = 0; round < rounds && Date.now() < deadline; round += 1) {
        for (const [index, { name, agoMs, backfill, code, late: isLate }] of cases.entries()) {
          const timeMs = Date.now() - agoMs;
          const value = BigInt(round * 100 + index + 1);
          const event = {
            specversion: '1.0',
            type: 'api_calls',
            source: '/late',
            id: `${round}-${index}`,
            time: new Date(timeMs).toISOString(),
            data: { value: String(value) },
          };
          const answer = await client.events(event, backfill ? backfillKey : client.key);
          total += 1;
          if (answer.status === (code === undefined ? 200 : 400) && answer.code === code) classified += 1;
          else wrong.push(`${name}: answered ${answer.status} ${answer.code}`);
          if (code !== undefined) {
            refused.set(code, (refused.get(code) ?? 0) + 1);
            continue;
          }
          const period = periodOfInstant(timeMs);
          expected.set(period, (expected.get(period) ?? 0n) + value);
          late += isLate ? 1 : 0;
        }
      }
      // Telemetry later than the tenant's window of 32 days: kept, flagged, in no bill; by a key for history it is billed.
      const oldMs = Date.now() - 36 * dayMs;
      const points = (first: number) =>
        [0, 60_000].map((ms) => ({ timeMs: oldMs + ms, startMs: oldMs - 60_000, value: first + ms }));
      const headers = { 'content-type': 'application/x-protobuf' };
      for (const [label, key] of [
        ['late', client.key],
        ['history', backfillKey],
      ] as const) {
        const status = await client.post(pulse.otlpHttp, '/v1/metrics', encodeCounter(label, points(1000)), {
          ...headers,
          authorization: `Bearer ${key}`,
        });
        if (status !== 200) wrong.push(`${label} telemetry: answered ${status}`);
      }
      await client.settled();
      let flagged = 0;
      for (const period of new Set([...expected.keys(), periodOfInstant(oldMs)])) {
        const { meters } = await client.bill(period);
        const counted = BigInt(meters['api_calls'] ?? 0);
        if (counted !== (expected.get(period) ?? 0n))
          wrong.push(`${period}: ${counted} in the draft, ${expected.get(period)} sent`);
        const quality = await client.get<Quality>(`/api/v1/billing/usage/quality?period=${period}`);
        flagged += quality.meters.find(({ meter }) => meter === 'api_calls')?.late ?? 0;
        if (period === periodOfInstant(oldMs)) {
          if (meters['network_bytes'] !== '61000')
            wrong.push(`telemetry of 36 days ago: ${meters['network_bytes']} billed, 61000 by the key for history`);
        }
      }
      if (flagged !== late) wrong.push(`${flagged} events flagged late, ${late} sent`);
      const metrics = await (
        await fetch(`${pulse.http}/metrics`, { headers: { authorization: `Bearer ${pulse.token}` } })
      ).text();
      for (const [code, count] of refused) {
        const lines = metrics
          .split('\n')
          .filter((line) => line.startsWith('pulse_ingest_rejected_total') && line.includes(`"${code}"`));
        const counted = lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
        if (counted !== count) wrong.push(`${code}: ${counted} counted, ${count} refused`);
      }
      return {
        passed: wrong.length === 0,
        figure: `${classified} of ${total} classified, ${late} late under backfill`,
        details: wrong.slice(0, 20),
      };
    } finally {
      await pulse.stop();
    }
  },
};
