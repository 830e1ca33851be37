import { DomainEvent, type DomainEventType } from '../contract/index.ts';
import type { Control, RowScope } from '../control/port.ts';

/** An event and when it was sent to the log; null: it waits. */
export interface ListedEvent {
  readonly seq: string;
  readonly event: DomainEvent;
  readonly sentAt: string | null;
}

/** Newest first; `before` is the sequence number of the last one seen. Row-level security narrows it to the scope. */
export function listEvents(
  control: Pick<Control, 'read'>,
  scope: RowScope,
  page: { readonly limit: number; readonly before: string | null; readonly type?: DomainEventType | undefined },
): Promise<ListedEvent[]> {
  return control.read(scope, async (tx) => {
    let query = tx.selectFrom('outbox').select(['seq', 'document', 'sent_at']).orderBy('seq', 'desc').limit(page.limit);
    if (page.before !== null) query = query.where('seq', '<', page.before);
    if (page.type !== undefined) query = query.where('type', '=', page.type);
    const rows = await query.execute();
    return rows.map(({ seq, document, sent_at }) => ({ seq, event: DomainEvent.parse(document), sentAt: sent_at }));
  });
}
