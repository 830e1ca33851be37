import {
  AppError,
  Decision,
  type DecisionState,
  type DecisionView,
  type DomainEventDraft,
  Outcome,
  type TenantRecord,
} from 'streams/contract';
import type { Actor, Control, ControlTransaction, Fence, RowScope } from 'streams/control';
import { currentDeployment, deploymentAfter, planDeployment } from '../kubernetes/plan.ts';
import { defaultGatePolicy, type GatePolicy, type GateResult, judge } from './gates.ts';

/** States in which a decision counts as accepted for the cool-down. */
const accepted: readonly DecisionState[] = ['open', 'planned', 'applied'];

export interface DecisionLedgerOptions {
  readonly control: Control;
  tenantById(id: string): TenantRecord | undefined;
  now(): number;
  readonly policy?: GatePolicy;
}

/** The append-only record of decisions and what became of them. Every write goes through the audited mutation path. */
export interface DecisionLedger {
  /** Records a proposal once (by idempotency key) with the outcome of its gates; false when it was known already. */
  record(decision: Decision): Promise<boolean>;
  /**
   * A person's word on an open decision.
   *
   * *Errors* `decisions.not_open` (409), `access.forbidden` (403) for a foreign or unknown id alike.
   */
  resolve(
    actor: Actor,
    scope: RowScope,
    id: string,
    verdict: 'approve' | 'veto',
    reason: string,
  ): Promise<DecisionView>;
  find(scope: RowScope, id: string): Promise<DecisionView>;
  list(
    scope: RowScope,
    filter: { state?: DecisionState | undefined; limit: number; cursor?: string | undefined },
  ): Promise<{ items: DecisionView[]; nextCursor: string | null }>;
  /** Marks open decisions whose time is over; returns how many. *Errors* `lease.lost` when another process has taken the sweep over. */
  expire(fence?: Fence): Promise<number>;
}

export function createDecisionLedger({
  control,
  tenantById,
  now,
  policy = defaultGatePolicy,
}: DecisionLedgerOptions): DecisionLedger {
  const global: RowScope = { kind: 'global' };

  async function judgeNow(
    tx: ControlTransaction,
    decision: Decision,
  ): Promise<{ gates: GateResult[]; plan: Outcome['plan'] }> {
    const tenant = tenantById(decision.tenantId);
    const current = tenant === undefined ? null : currentDeployment(tenant);
    const after = current === null ? null : deploymentAfter(current, decision);
    const last = await tx
      .selectFrom('decision_outcomes as o')
      .innerJoin('decisions as d', 'd.id', 'o.decision_id')
      .where('d.tenant_id', '=', decision.tenantId)
      .where('d.kind', '=', decision.kind)
      .where('d.id', '!=', decision.id)
      .where('o.state', 'in', [...accepted])
      .select('o.at')
      .orderBy('o.seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    const gates = judge(
      decision,
      {
        nowMs: now(),
        lastAcceptedAtMs: last === undefined ? null : Date.parse(last.at),
        actionIsKnown: after !== null || decision.kind === 'alert',
      },
      policy,
    );
    return { gates, plan: after === null ? null : planDeployment(current, after) };
  }

  async function appendOutcome(tx: ControlTransaction, decision: Decision, outcome: Outcome): Promise<void> {
    await tx
      .insertInto('decision_outcomes')
      .values({
        decision_id: decision.id,
        tenant_id: decision.tenantId,
        state: outcome.state,
        at: outcome.at,
        document: JSON.stringify(outcome),
      })
      .execute();
  }

  return {
    async record(decision) {
      const known = await control.read(global, (tx) => isRecorded(tx, decision));
      if (known) return false;
      const actor: Actor = { id: 'system:orchestrator', correlationId: decision.id };
      return control.mutate(actor, global, async (tx) => {
        await tx
          .insertInto('decisions')
          .values({
            id: decision.id,
            tenant_id: decision.tenantId,
            kind: decision.kind,
            idempotency_key: decision.idempotencyKey,
            proposed_at: decision.proposedAt,
            document: JSON.stringify(decision),
          })
          .execute();
        const { gates, plan } = await judgeNow(tx, decision);
        const failed = gates.filter((gate) => !gate.passed);
        const outcome: Outcome = {
          state: failed.length === 0 ? 'open' : 'blocked',
          at: new Date(now()).toISOString(),
          actor: actor.id,
          gates,
          detail:
            failed.length === 0
              ? 'every gate passed; plan mode: the objects and their difference are shown, nothing is applied'
              : `held back by ${failed.map(({ gate }) => gate).join(', ')}`,
          plan,
        };
        await appendOutcome(tx, decision, outcome);
        const audit = {
          action: 'decision.record',
          resource: `decision:${decision.id}`,
          tenantId: decision.tenantId,
          after: { state: outcome.state },
        };
        return { result: true, audit, events: decisionEvent(decision, outcome) };
      });
    },

    async resolve(actor, scope, id, verdict, reason) {
      await control.mutate(actor, scope, async (tx) => {
        const view = await readOne(tx, id);
        if (view.state !== 'open') {
          throw new AppError('decisions.not_open', `the decision is ${view.state}; only an open one can be resolved`, {
            status: 409,
          });
        }
        const { state, outcomes, ...decision } = view;
        const { gates, plan } = await judgeNow(tx, decision);
        const failed = gates.filter((gate) => !gate.passed && gate.gate !== 'cool_down');
        const outcome: Outcome = {
          state: verdict === 'veto' ? 'vetoed' : failed.length === 0 ? 'planned' : 'blocked',
          at: new Date(now()).toISOString(),
          actor: actor.id,
          gates,
          detail:
            verdict === 'veto'
              ? `vetoed: ${reason || 'no reason given'}`
              : failed.length === 0
                ? `approved${reason ? `: ${reason}` : ''}; plan mode: the plan is recorded, nothing is applied`
                : `approved, but held back by ${failed.map(({ gate }) => gate).join(', ')}`,
          plan,
        };
        await appendOutcome(tx, decision, outcome);
        return {
          result: undefined,
          audit: {
            action: `decision.${verdict}`,
            resource: `decision:${id}`,
            tenantId: decision.tenantId,
            before: { state },
            after: { state: outcome.state, reason },
          },
          events: decisionEvent(decision, outcome),
        };
      });
      return control.read(scope, (tx) => readOne(tx, id));
    },

    find: (scope, id) => control.read(scope, (tx) => readOne(tx, id)),

    list: (scope, filter) => control.read(scope, (tx) => readPage(tx, filter)),

    async expire(fence) {
      const open = await control.read(global, (tx) => readPage(tx, { state: 'open', limit: 1000 }));
      const over = open.items.filter((item) => Date.parse(item.expiresAt) <= now());
      for (const view of over) {
        const actor: Actor = { id: 'system:orchestrator', correlationId: view.id };
        const expire = async (tx: ControlTransaction) => {
          const outcome: Outcome = {
            state: 'expired',
            at: new Date(now()).toISOString(),
            actor: actor.id,
            gates: [],
            detail: `nobody resolved it before ${view.expiresAt}`,
            plan: null,
          };
          await appendOutcome(tx, view, outcome);
          return {
            result: undefined,
            audit: { action: 'decision.expire', resource: `decision:${view.id}`, tenantId: view.tenantId },
            events: decisionEvent(view, outcome),
          };
        };
        await control.mutate(actor, global, expire, fence === undefined ? {} : { fence });
      }
      return over.length;
    },
  };
}

/** What others are told when a decision comes into a state. */
function decisionEvent(decision: Decision, { state, actor, detail }: Outcome): DomainEventDraft {
  return {
    type: state === 'open' ? 'decision.opened' : `decision.${state}`,
    tenantId: decision.tenantId,
    subject: `decision:${decision.id}`,
    data: { decisionId: decision.id, kind: decision.kind, action: decision.action.name, state, actor, detail },
  };
}

async function isRecorded(tx: ControlTransaction, decision: Decision): Promise<boolean> {
  const row = await tx
    .selectFrom('decisions')
    .select('id')
    .where((where) => where.or([where('id', '=', decision.id), where('idempotency_key', '=', decision.idempotencyKey)]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function readOne(tx: ControlTransaction, id: string): Promise<DecisionView> {
  const row = await tx.selectFrom('decisions').select('document').where('id', '=', id).executeTakeFirst();
  // Foreign and unknown look alike: row-level security hides the one as the other.
  if (row === undefined) throw new AppError('access.forbidden', 'no access to this decision', { status: 403 });
  const [view] = await withOutcomes(tx, [Decision.parse(row.document)]);
  if (view === undefined) throw new AppError('access.forbidden', 'no access to this decision', { status: 403 });
  return view;
}

async function readPage(
  tx: ControlTransaction,
  { state, limit, cursor }: { state?: DecisionState | undefined; limit: number; cursor?: string | undefined },
): Promise<{ items: DecisionView[]; nextCursor: string | null }> {
  let query = tx
    .selectFrom('decisions as d')
    .select(['d.id', 'd.proposed_at', 'd.document'])
    .orderBy('d.proposed_at', 'desc')
    .orderBy('d.id', 'desc')
    .limit(limit + 1);
  if (state !== undefined) {
    query = query.where((where) =>
      where(
        where
          .selectFrom('decision_outcomes as o')
          .select('o.state')
          .whereRef('o.decision_id', '=', 'd.id')
          .orderBy('o.seq', 'desc')
          .limit(1),
        '=',
        state,
      ),
    );
  }
  if (cursor !== undefined) {
    const [at = '', id = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split('|');
    if (Number.isNaN(Date.parse(at)))
      throw new AppError('request.invalid', 'cursor is not one of ours', { status: 400, field: 'query.cursor' });
    query = query.where((where) =>
      where.or([where('d.proposed_at', '<', at), where.and([where('d.proposed_at', '=', at), where('d.id', '<', id)])]),
    );
  }
  const rows = await query.execute();
  const items = await withOutcomes(
    tx,
    rows.slice(0, limit).map((row) => Decision.parse(row.document)),
  );
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    items,
    nextCursor: last === undefined ? null : Buffer.from(`${last.proposed_at}|${last.id}`).toString('base64url'),
  };
}

async function withOutcomes(tx: ControlTransaction, decisions: readonly Decision[]): Promise<DecisionView[]> {
  if (decisions.length === 0) return [];
  const rows = await tx
    .selectFrom('decision_outcomes')
    .select(['decision_id', 'document'])
    .where(
      'decision_id',
      'in',
      decisions.map(({ id }) => id),
    )
    .orderBy('seq')
    .execute();
  return decisions.map((decision) => {
    const outcomes = rows.filter((row) => row.decision_id === decision.id).map((row) => Outcome.parse(row.document));
    return { ...decision, state: outcomes.at(-1)?.state ?? 'open', outcomes };
  });
}
