import { gzipSync } from 'node:zlib';
import { type NoiseOrder, noise, onSchedule, postMetrics, senderAgent } from './noise.ts';
import { encodePoints } from './otlp-points.ts';

/*
 * The noisy tenant, a process of its own: what it costs to send is not in what the quiet one sees.
 * Arguments: base URL, key. Takes one order at a time as a message and answers with its outcome; ends with its parent.
 */
const [base = '', key = ''] = process.argv.slice(2);

const body = (timeMs: number) =>
  gzipSync(encodePoints({ metric: 'noise', timeMs, count: noise.noisyPointsPerRequest, series: (i) => `n${i}` }), {
    level: 1,
  });

/** Uses up what was saved. Answers the points that were taken. */
async function spend(): Promise<number> {
  const agent = senderAgent(1);
  let accepted = 0;
  for (;;) {
    const { status } = await postMetrics(base, key, body(Date.now()), agent);
    if (status === 429) break;
    if (status !== 200) throw new Error(`the noisy tenant was answered ${status}`);
    accepted += noise.noisyPointsPerRequest;
  }
  agent.destroy();
  return accepted;
}

/** Sends at ten times the limit, whatever the answers. */
async function send(seconds: number) {
  const agent = senderAgent(8);
  const everyMs = (1000 * noise.noisyPointsPerRequest) / (noise.limit * noise.times);
  const bodies = Array.from({ length: 8 }, (_, i) => body(Date.now() + i));
  const outcome = { sent: 0, accepted: 0, limited: 0, others: [] as string[] };
  await onSchedule(
    () => everyMs,
    performance.now() + seconds * 1000,
    () => bodies[outcome.sent++ % bodies.length] ?? Buffer.alloc(0),
    async (next) => {
      const { status, retryAfter } = await postMetrics(base, key, next, agent);
      if (status === 200) outcome.accepted += noise.noisyPointsPerRequest;
      else if (status === 429 && Number(retryAfter) >= 1) outcome.limited++;
      else outcome.others.push(`noisy: ${status} ${retryAfter ?? ''}`);
    },
  );
  agent.destroy();
  return outcome;
}

process.on('message', async (order: NoiseOrder) => {
  try {
    const outcome = order.kind === 'spend' ? await spend() : await send(order.seconds);
    process.send?.({ outcome });
  } catch (error) {
    process.send?.({ error: String(error) });
  }
});
process.on('disconnect', () => process.exit());
