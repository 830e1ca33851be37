import { logConformance } from './conformance.ts';
import type { EmbeddedLog } from './embedded-log.ts';
import { startedLog, temporaryDirectory } from './test-disk.ts';

for (const [name, recentBytes] of [
  ['embedded segments', 0],
  ['embedded segments, the newest records in memory', 3000],
] as const)
  logConformance(name, async () => {
    const { dir, remove } = await temporaryDirectory();
    // Small segments: every test crosses several of them.
    const opened: EmbeddedLog[] = [await startedLog(dir, { segmentBytes: 2000, recentBytes })];
    const reopen = async () => {
      const log = await startedLog(dir, { segmentBytes: 2000, recentBytes });
      opened.push(log);
      return log;
    };
    return {
      log: opened[0] as EmbeddedLog,
      reopen,
      dispose: async () => {
        for (const log of opened) await log.stop();
        await remove();
      },
    };
  });
