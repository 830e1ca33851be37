import type { Request } from '../fault/sender.ts';
import type { KafkaCheck } from './check.ts';
import { baseOfRun, kafkaRequest, openKafkaPipeline } from './pipeline.ts';

/** The broker is killed and comes back while records come in: every append is acknowledged, by the broker or by the spool, and stored once. */
export const brokerKilled: KafkaCheck = {
  name: 'broker SIGKILL and restart under load, spool in between',
  async run({ dir, broker, prefix, size }) {
    const kills = size === 'full' ? 5 : 1;
    const baseMs = baseOfRun();
    const pipeline = await openKafkaPipeline({ dir, brokers: [broker.address], prefix, spool: true });
    await pipeline.join();
    const sent: Request[] = [];
    const problems: string[] = [];
    let slowestMs = 0;
    let ended = false;
    const sending = (async () => {
      for (let id = 0; !ended; id += 2) {
        const requests = [0, 1].map((step) => kafkaRequest(id + step, baseMs));
        const began = performance.now();
        try {
          await pipeline.append(requests);
          sent.push(...requests);
        } catch (error) {
          problems.push(`append ${id}: ${String(error)}`);
        }
        slowestMs = Math.max(slowestMs, performance.now() - began);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    for (let kill = 0; kill < kills; kill += 1) {
      await pause(1500);
      await broker.kill();
      await pause(2000);
      await broker.restart();
    }
    await pause(1500);
    ended = true;
    await sending;
    await pipeline.settle(120);
    problems.push(...(await pipeline.differences(sent)));
    await pipeline.stop();
    return {
      figure: `${kills} kills, ${sent.length} requests acknowledged (slowest append ${Math.round(slowestMs)} ms), ${problems.length} problems`,
      problems,
    };
  },
};
