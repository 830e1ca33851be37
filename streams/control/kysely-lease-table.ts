import { sql } from 'kysely';
import type { LeaseRound, LeaseTable } from './leases.ts';
import type { ControlTransaction, Fence } from './port.ts';

/** Runs a transaction as `pulse_leaser`. */
type AsLeaser = <T>(run: (tx: ControlTransaction) => Promise<T>) => Promise<T>;

export interface LeaseTableOptions {
  readonly asLeaser: AsLeaser;
  /** Names this process in the table. */
  readonly holder: string;
  readonly leaseMs: number;
  /** The database serves this process only, so whoever else held a lease is gone: its leases are free at once. */
  readonly isAlone: boolean;
}

/** Sees that the row still carries the token, and keeps anybody from taking the lease until the transaction ends; a renewal passes. */
export async function lockFence(tx: ControlTransaction, { name, token }: Fence): Promise<boolean> {
  const { rows } =
    await sql`SELECT 1 FROM leases WHERE name = ${name} AND token = ${token.toString()} FOR KEY SHARE`.execute(tx);
  return rows.length === 1;
}

/** Table `leases` in SQL. Every instant is the database's own. */
export function createLeaseTable(options: LeaseTableOptions): LeaseTable {
  const { asLeaser, holder, isAlone } = options;
  const until = sql`clock_timestamp() + make_interval(secs => ${options.leaseMs / 1000}::float8)`;
  const known = new Set<string>();

  /** A row for each name; it stays, because its token must never start again. */
  async function ensure(tx: ControlTransaction, names: readonly string[]): Promise<void> {
    await sql`INSERT INTO leases (name, holder, token, expires_at)
      SELECT name, '', 0, '-infinity' FROM unnest(${names}::text[]) AS name ON CONFLICT (name) DO NOTHING`.execute(tx);
  }

  return {
    async round(held, wanted): Promise<LeaseRound> {
      const unseen = wanted.filter((name) => !known.has(name));
      // What a fenced transaction of the holder locks is skipped: it is taken at a later round, and nothing else waits for it.
      const { rows } = await asLeaser(async (tx) => {
        if (unseen.length > 0) await ensure(tx, unseen);
        return sql<{ name: string; token: string; is_taken: boolean }>`
          WITH renewed AS (
            UPDATE leases SET expires_at = ${until}
            FROM unnest(${held.map(({ name }) => name)}::text[], ${held.map(({ token }) => token.toString())}::bigint[]) AS own (name, token)
            WHERE leases.name = own.name AND leases.token = own.token AND leases.holder = ${holder}
            RETURNING leases.name, leases.token
          ), free AS (
            SELECT name FROM leases
            WHERE name = ANY (${wanted}::text[]) AND (expires_at <= clock_timestamp() OR holder = ${holder} OR ${isAlone}::boolean)
            FOR UPDATE SKIP LOCKED
          ), taken AS (
            UPDATE leases SET holder = ${holder}, token = token + 1, expires_at = ${until}
            FROM free WHERE leases.name = free.name
            RETURNING leases.name, leases.token
          )
          SELECT name, token, false AS is_taken FROM renewed UNION ALL SELECT name, token, true FROM taken`.execute(tx);
      });
      for (const name of unseen) known.add(name);
      const fences = (isTaken: boolean) =>
        rows.filter((row) => row.is_taken === isTaken).map(({ name, token }) => ({ name, token: BigInt(token) }));
      return { renewed: fences(false), taken: fences(true) };
    },

    isHeld: ({ name, token }) =>
      asLeaser(async (tx) => {
        const { rows } =
          await sql`SELECT 1 FROM leases WHERE name = ${name} AND token = ${token.toString()} AND expires_at > clock_timestamp()`.execute(
            tx,
          );
        return rows.length === 1;
      }),

    async release(fences) {
      await asLeaser((tx) =>
        sql`UPDATE leases SET holder = '', expires_at = '-infinity'
          FROM unnest(${fences.map(({ name }) => name)}::text[], ${fences.map(({ token }) => token.toString())}::bigint[]) AS own (name, token)
          WHERE leases.name = own.name AND leases.token = own.token AND leases.holder = ${holder}`.execute(tx),
      );
    },
  };
}
