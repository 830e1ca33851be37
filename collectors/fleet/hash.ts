/** Deterministic noise: the same (seed, a, b) gives the same number on every machine. *Source* finalizer of MurmurHash3. */
export function hash32(seed: number, a: number, b: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(a + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ Math.imul((b | 0) + 0x165667b1, 0x27d4eb2f) ^ Math.floor(b / 4294967296);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** A fraction 0 ≤ u < 1. */
export function unit(seed: number, a: number, b: number): number {
  return hash32(seed, a, b) / 4294967296;
}

/** Noise −1…1 that moves smoothly: random knots every `stepMs`, joined by a smoothstep. */
export function smoothNoise(seed: number, a: number, timeMs: number, stepMs: number): number {
  const position = timeMs / stepMs;
  const knot = Math.floor(position);
  const x = position - knot;
  const left = unit(seed, a, knot);
  const right = unit(seed, a, knot + 1);
  return 2 * (left + (right - left) * x * x * (3 - 2 * x)) - 1;
}
