import type { Store } from '../store/port.ts';
import type { Lease } from './port.ts';

/**
 * The store for the jobs of a leader: asks the database before every write whether the lease is still in force.
 *
 * *Errors* `lease.lost` besides those of the store.
 * *Bias* the engine knows no tokens, so a process that stands still between the check and its statement can write once when the lease has passed on. The rows of every such job carry a
 * version that decides which of two stays, so that such a write changes nothing; a job without that may not use this.
 */
export function fencedStore(store: Store, lease: Lease): Store {
  return {
    start: () => store.start(),
    stop: () => store.stop(),
    query: (query, params, options) => store.query(query, params, options),
    stream: (query, params, options) => store.stream(query, params, options),
    async insert(block, token) {
      await lease.check();
      return store.insert(block, token);
    },
    // A database of its own is a scratch place: what is published from it passes a fence elsewhere.
    inDatabase: (name) => store.inDatabase(name),
    async execute(sql, params, options) {
      await lease.check();
      return store.execute(sql, params, options);
    },
  };
}
