import { AppError, type DomainEventDraft, Handover } from 'streams/contract';
import type { Actor, Control, Fence } from 'streams/control';
import type { AlertChanges, LedgerAlert } from './ledger-alerts.ts';

type RowScope = Parameters<Control['read']>[0];
const everywhere = { kind: 'global' } as const;

/** Open and resolved hours of the ledger, and what others are told of them. */
export interface LedgerAlertStore {
  /** Newest first. */
  list(
    scope: RowScope,
    page: { readonly open: boolean; readonly tenant?: string; readonly limit: number; readonly skip: number },
  ): Promise<LedgerAlert[]>;
  write(actor: Actor, changes: AlertChanges, at: string, fence?: Fence): Promise<void>;
}

function toAlert(row: {
  tenant_id: string;
  subject: string;
  hop: string;
  hour: string;
  opened_at: string;
  resolved_at: string | null;
  document: unknown;
}): LedgerAlert {
  const parsed = Handover.safeParse(row.document);
  if (!parsed.success) {
    throw new AppError('billing.alert_unreadable', `an alert of ${row.tenant_id} cannot be read`, {
      cause: parsed.error,
    });
  }
  return {
    tenant: row.tenant_id,
    subject: row.subject,
    hop: row.hop,
    hour: row.hour,
    openedAt: row.opened_at,
    resolvedAt: row.resolved_at,
    handover: parsed.data,
  };
}

const eventId = (type: string, { tenant, signal, to, hour }: Handover, at: string) =>
  `${type}/${tenant}/${signal}/${to}/${hour}/${at}`;
const dataOf = ({ tenant, signal, hour, from, to, counts, sums }: Handover) => ({
  tenant,
  hour,
  from,
  to,
  subject: signal,
  counts: [String(counts.from), String(counts.to)] satisfies [string, string],
  sums: [sums?.from ?? null, sums?.to ?? null] satisfies [string | null, string | null],
});

/** In the control plane, with their domain events in the same transaction. */
export function createLedgerAlertStore(control: Control): LedgerAlertStore {
  return {
    async list(scope, { open, tenant, limit, skip }) {
      const rows = await control.read(scope, (tx) => {
        let query = tx.selectFrom('ledger_alerts').selectAll();
        if (open) query = query.where('resolved_at', 'is', null);
        if (tenant !== undefined) query = query.where('tenant_id', '=', tenant);
        return query
          .orderBy('opened_at', 'desc')
          .orderBy('tenant_id')
          .orderBy('subject')
          .orderBy('hop')
          .orderBy('hour')
          .limit(limit)
          .offset(skip)
          .execute();
      });
      return rows.map(toAlert);
    },
    async write(actor, { opened, resolved }, at, fence) {
      if (opened.length + resolved.length === 0) return;
      await control.mutate(
        actor,
        everywhere,
        async (tx) => {
          if (opened.length > 0) {
            await tx
              .insertInto('ledger_alerts')
              .values(
                opened.map((handover) => ({
                  tenant_id: handover.tenant,
                  subject: handover.signal,
                  hop: handover.to,
                  hour: handover.hour,
                  opened_at: at,
                  document: JSON.stringify(handover),
                })),
              )
              .execute();
          }
          for (const alert of resolved) {
            await tx
              .updateTable('ledger_alerts')
              .set({ resolved_at: at })
              .where('tenant_id', '=', alert.tenant)
              .where('subject', '=', alert.subject)
              .where('hop', '=', alert.hop)
              .where('hour', '=', alert.hour)
              .where('resolved_at', 'is', null)
              .execute();
          }
          return {
            result: undefined,
            audit: {
              action: 'ledger.judge',
              resource: 'ledger',
              tenantId: null,
              after: { opened: opened.length, resolved: resolved.length, at },
            },
            events: [
              ...opened.map((handover): DomainEventDraft => {
                const type = 'ledger.unbalanced';
                return { type, id: eventId(type, handover, at), data: dataOf(handover) };
              }),
              ...resolved.map(({ handover }): DomainEventDraft => {
                const type = 'ledger.balanced';
                return { type, id: eventId(type, handover, at), data: dataOf(handover) };
              }),
            ],
          };
        },
        fence === undefined ? {} : { fence },
      );
    },
  };
}
