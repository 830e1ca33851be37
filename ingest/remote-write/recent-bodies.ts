import type { EarlierBody } from 'streams/otlp';

/** A few requests of 2,000 samples; all of them are read when an exemplar stands alone. */
const ownBytesMax = 2 * 1024 * 1024;

/**
 * The newest bodies of tenants that send exemplars. Prometheus sends an exemplar apart from its sample, often in the next request; an exemplar is stored with a point, which is then found here.
 *
 * *Shape* bounded: `maxBytes` in all, 2 MiB a tenant; the oldest bodies of the tenant that was heard of longest ago go first.
 * *Bias* a body may be forgotten too early: the exemplar is then refused, never its sample.
 */
export class RecentBodies {
  readonly #maxBytes: number;
  /** In the order of last use. */
  readonly #tenants = new Map<string, EarlierBody[]>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bodies of the tenant, newest first. */
  of(tenantId: string): readonly EarlierBody[] {
    return this.#tenants.get(tenantId) ?? [];
  }

  /** Keeps a body that was taken; a tenant is kept from its first exemplar on. */
  keep(tenantId: string, body: EarlierBody, hasExemplars: boolean): void {
    const known = this.#tenants.get(tenantId);
    if (known === undefined && !hasExemplars) return;
    if (body.bytes.length > ownBytesMax) return;
    const bodies = [body, ...(known ?? [])];
    this.#bytes += body.bytes.length;
    let own = bodies.reduce((sum, { bytes }) => sum + bytes.length, 0);
    while (own > ownBytesMax) own -= this.#dropOldest(bodies);
    this.#tenants.delete(tenantId);
    this.#tenants.set(tenantId, bodies);
    while (this.#bytes > this.#maxBytes) this.#forgetOne();
  }

  #dropOldest(bodies: EarlierBody[]): number {
    const length = bodies.pop()?.bytes.length ?? 0;
    this.#bytes -= length;
    return length;
  }

  #forgetOne(): void {
    const [oldest] = this.#tenants;
    if (oldest === undefined) return;
    const [tenantId, bodies] = oldest;
    this.#dropOldest(bodies);
    if (bodies.length === 0) this.#tenants.delete(tenantId);
  }
}
