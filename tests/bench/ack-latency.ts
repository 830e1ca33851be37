import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { percentile } from '../fault/otlp-points.ts';
import { buildBodies, load, openDoor } from './door.ts';
import { type BenchResult, summarise } from './results.ts';

const rounds = 7;
const roundMs = 3000;
/** About 300 requests a second of 200 points: a fleet at work, not at its limit. */
const senders = 16;
const pauseMs = 50;
const syncs = 10;

/** 99th percentile of acknowledgments over the median of one 1 MiB fdatasync on the same disk, measured in turn. */
export async function ackLatency(): Promise<BenchResult[]> {
  const bodies = buildBodies(256);
  const door = await openDoor({ durable: true });
  const ratios: number[] = [];
  const tails: number[] = [];
  const medians: number[] = [];
  const references: number[] = [];
  // Nothing is removed before the end: giving blocks back makes the disk slow for whoever syncs next.
  const dir = mkdtempSync(join(tmpdir(), 'pulse-sync-'));
  await load(door, bodies, { senders, ms: 1000, pauseMs });
  for (let round = 0; round < rounds; round += 1) {
    const before = await syncsOfMebibyte(dir);
    const { latenciesMs } = await load(door, bodies, { senders, ms: roundMs, pauseMs });
    const after = await syncsOfMebibyte(dir);
    const reference = percentile([...before, ...after], 0.5);
    const tail = percentile(latenciesMs, 0.99);
    ratios.push(tail / reference);
    tails.push(tail);
    medians.push(percentile(latenciesMs, 0.5));
    references.push(reference);
  }
  await door.close();
  rmSync(dir, { recursive: true });
  return [
    summarise('ack-latency', 'p99 of acknowledgments ÷ p50 of a 1 MiB fdatasync', 'ratio', ratios, {
      pass: 10,
      aim: 5,
      better: 'lower',
    }),
    summarise('ack-latency.p99', 'acknowledgment', 'ms', tails, { better: 'lower' }),
    summarise('ack-latency.p50', 'acknowledgment', 'ms', medians, { better: 'lower' }),
    summarise('ack-latency.fdatasync', 'median of syncing 1 MiB', 'ms', references, { better: 'lower' }),
  ];
}

async function syncsOfMebibyte(dir: string): Promise<number[]> {
  const block = Buffer.alloc(1024 * 1024, 5);
  const file = await open(join(dir, randomUUID()), 'w');
  const times: number[] = [];
  try {
    for (let index = 0; index < syncs; index += 1) {
      await file.write(block, 0, block.length, index * block.length);
      const began = performance.now();
      await file.datasync();
      times.push(performance.now() - began);
    }
  } finally {
    await file.close();
  }
  return times;
}
