import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

export interface MemoryUse {
  readonly rssBytes: number;
  readonly heapBytes: number;
}

/** Says whether the process holds more memory than it should, without measuring it at every request. */
export interface MemoryGuard {
  isOver(): boolean;
  start(): void;
  stop(): void;
}

/** How much of the heap's own limit may be used: beyond it collections follow one another. */
const heapShare = 0.85;
/** Part of the machine, or of the container, that is taken when nothing is configured. */
const machineShare = 0.8;

/** Bytes that a process may hold when nothing is configured. */
export function defaultMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  const available = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.floor(available * machineShare);
}

export function readMemory(): MemoryUse {
  return { rssBytes: process.memoryUsage.rss(), heapBytes: getHeapStatistics().used_heap_size };
}

/** *Units* bytes, milliseconds. *Bias* up to one sample behind; samples come more often than a request of the largest size can be read. */
export function createMemoryGuard(options: {
  readonly maxBytes: number;
  readonly sampleMs?: number;
  readonly read?: () => MemoryUse;
  readonly heapLimitBytes?: number;
}): MemoryGuard {
  const { maxBytes, sampleMs = 200, read = readMemory } = options;
  const heapMax = (options.heapLimitBytes ?? getHeapStatistics().heap_size_limit) * heapShare;
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  const sample = () => {
    const { rssBytes, heapBytes } = read();
    over = rssBytes > maxBytes || heapBytes > heapMax;
  };
  return {
    isOver: () => over,
    start() {
      sample();
      timer = setInterval(sample, sampleMs);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}
