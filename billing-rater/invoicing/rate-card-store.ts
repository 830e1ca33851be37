import { AppError } from 'streams/contract';
import type { Actor, Control, ControlTransaction } from 'streams/control';
import { meterOf } from '../metering/meters.ts';
import { type NewRateCard, RateCard, sampleRateCards } from '../rating/index.ts';
import type { RateCardReader } from './ports.ts';

const everywhere = { kind: 'global' } as const;

/** Rate cards in the control plane: appended as versions, never changed. */
export interface RateCardStore extends RateCardReader {
  /** *Errors* `billing.unknown_meter` (422), `control.conflict` (409) when another version was added at the same moment. */
  add(actor: Actor, card: NewRateCard): Promise<RateCard>;
  /** Adds the sample cards when there is none at all; returns how many. */
  seed(actor: Actor): Promise<number>;
}

function toRateCard(row: { version: number; document: unknown; id: string }): RateCard {
  const document = typeof row.document === 'object' ? row.document : null;
  const parsed = RateCard.safeParse({ ...document, version: row.version });
  if (!parsed.success) {
    throw new AppError('billing.rate_card_unreadable', `rate card ${row.id} version ${row.version} cannot be read`, {
      cause: parsed.error,
      context: { id: row.id, version: row.version },
    });
  }
  return parsed.data;
}

/** Any constant of our own. */
const seedLock = 7245183096;
const alreadySeeded = new Error('there are rate cards already');

export function createRateCardStore(control: Control): RateCardStore {
  const cards = () =>
    control.read(everywhere, async (tx) => {
      const rows = await tx.selectFrom('rate_cards').select(['id', 'version', 'document']).execute();
      return rows.map(toRateCard).toSorted((a, b) => (a.id === b.id ? b.version - a.version : a.id < b.id ? -1 : 1));
    });
  const insert = async (tx: ControlTransaction, card: NewRateCard) => {
    const newest = await tx
      .selectFrom('rate_cards')
      .select(({ fn }) => fn.max('version').as('version'))
      .where('id', '=', card.id)
      .executeTakeFirst();
    const version = Number(newest?.version ?? 0) + 1;
    await tx
      .insertInto('rate_cards')
      .values({
        id: card.id,
        version,
        currency: card.currency,
        region: card.region,
        effective_from: card.effective_from,
        document: JSON.stringify(card),
      })
      .execute();
    const audit = {
      action: 'rate_card.create',
      resource: `rate_card/${card.id}/${version}`,
      tenantId: null,
      after: card,
    };
    return { result: { ...card, version }, audit };
  };
  const add = (actor: Actor, card: NewRateCard) => {
    for (const charge of card.charges) if (charge.model !== 'flat') meterOf(charge.meter);
    return control.mutate(actor, everywhere, (tx) => insert(tx, card));
  };
  return {
    cards,
    add,
    async seed(actor) {
      if ((await cards()).length > 0) return 0;
      const samples = sampleRateCards();
      try {
        await control.mutate(actor, everywhere, async (tx) => {
          // Of two processes that start together one adds them.
          await tx.selectNoFrom(({ fn, val }) => fn('pg_advisory_xact_lock', [val(seedLock)]).as('locked')).execute();
          const known = await tx.selectFrom('rate_cards').select('id').limit(1).execute();
          if (known.length > 0) throw alreadySeeded;
          const added = [];
          for (const card of samples) added.push(await insert(tx, card));
          return { result: null, audit: added.map(({ audit }) => audit) };
        });
      } catch (error) {
        if (error === alreadySeeded) return 0;
        throw error;
      }
      return samples.length;
    },
  };
}
