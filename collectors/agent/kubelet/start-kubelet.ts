import { setTimeout as sleep } from 'node:timers/promises';
import type { MeasuredPoint } from '@dotmac/pulse-sdk';
import { type KubeletConfig, readSummary } from './kubelet-client.ts';
import { toPoints } from './summary-points.ts';

/** Asks the kubelet every `intervalMs` until stopped; a failure is told once and ends nothing. */
export function startKubelet(
  config: KubeletConfig,
  to: {
    readonly addPoints: (points: readonly MeasuredPoint[]) => void;
    readonly onEvent: (event: { readonly level: 'info' | 'warn'; readonly message: string }) => void;
  },
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const namespaces = config.namespaces === null ? null : new Set(config.namespaces);
  let failed = false;
  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        to.addPoints(toPoints(await readSummary(config), Date.now(), namespaces));
        if (failed) to.onEvent({ level: 'info', message: 'the kubelet answers again' });
        failed = false;
      } catch (error) {
        if (!failed) to.onEvent({ level: 'warn', message: String(error) });
        failed = true;
      }
      await sleep(config.intervalMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
