import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { DecisionView, Tenant } from 'streams/contract';
import { z } from 'zod';
import { request } from '../../api/client.ts';
import { decisionsQuery } from '../../api/queries.ts';
import { useSession } from '../../api/session.tsx';
import { codeOf, EmptyState, ErrorState, SkeletonRows } from '../../components/feedback.tsx';
import { Icon } from '../../components/icon.tsx';
import { Section } from '../../components/section.tsx';
import { Status, type Tone } from '../../components/status.tsx';
import { formatInstant, formatRelative } from '../../format/time.ts';

const shownAtFirst = 5;

/** What the platform proposes to do with this tenant, why, and what became of it. */
export function DecisionsSection({ tenant }: { readonly tenant: Tenant }) {
  const { token } = useSession();
  const decisions = useQuery(decisionsQuery(token, tenant.id));
  const [all, setAll] = useState(false);
  const items = decisions.data ?? [];
  return (
    <Section id="decisions" title="Decisions" note={items.length === 0 ? undefined : `${items.length} recorded`}>
      {decisions.data === undefined ? (
        decisions.error === null ? (
          <SkeletonRows rows={3} label="Reading decisions" />
        ) : (
          <ErrorState
            what="Decisions could not be read"
            error={decisions.error}
            onRetry={() => void decisions.refetch()}
          />
        )
      ) : items.length === 0 ? (
        <EmptyState title="No decision so far">
          A proposal appears here when a limit is near, for instance when CPU stays above its target.
        </EmptyState>
      ) : (
        <ul className="decisions">
          {items.slice(0, all ? undefined : shownAtFirst).map((decision) => (
            <DecisionItem key={decision.id} decision={decision} tenant={tenant} startOpen={decision.state === 'open'} />
          ))}
        </ul>
      )}
      {!all && items.length > shownAtFirst && (
        <button type="button" className="button" onClick={() => setAll(true)}>
          Show {items.length - shownAtFirst} older ones
        </button>
      )}
    </Section>
  );
}

const states: Record<DecisionView['state'], { word: string; tone: Tone }> = {
  open: { word: 'Waits for approval', tone: 'warning' },
  planned: { word: 'Planned', tone: 'good' },
  applied: { word: 'Applied', tone: 'good' },
  blocked: { word: 'Blocked by a gate', tone: 'critical' },
  vetoed: { word: 'Vetoed', tone: 'unknown' },
  expired: { word: 'Expired', tone: 'unknown' },
};

/** Writes the instants inside a sentence of the server in the tenant's zone. */
function inZone(text: string, timeZone: string): string {
  return text.replaceAll(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/g, (at) => formatInstant(at, timeZone));
}

function actionText(decision: DecisionView): string {
  const { from, tier, to } = decision.action.parameters;
  const target = tier ?? to;
  if (typeof from === 'string' && typeof target === 'string') return `another tier: ${target} instead of ${from}`;
  const parameters = Object.entries(decision.action.parameters).map(([name, value]) => `${name} ${String(value)}`);
  return [decision.action.name.replaceAll(/[._]/g, ' '), ...parameters].join(', ');
}

function DecisionItem(props: {
  readonly decision: DecisionView;
  readonly tenant: Tenant;
  readonly startOpen: boolean;
}) {
  const { decision, tenant } = props;
  const [open, setOpen] = useState(props.startOpen);
  const { word, tone } = states[decision.state];
  const bodyId = `decision-${decision.id}`;
  return (
    <li className="decision">
      <button
        type="button"
        className="decision-head"
        aria-expanded={open}
        aria-controls={bodyId}
        onClick={() => setOpen(!open)}
      >
        <Icon name={open ? 'open' : 'right'} size={12} />
        <Status tone={tone} word={word} />
        <span className="decision-reason">{decision.reason}</span>
        <time dateTime={decision.proposedAt} title={formatInstant(decision.proposedAt, tenant.timeZone)}>
          {formatRelative(Date.parse(decision.proposedAt), Date.now())}
        </time>
      </button>
      {open && (
        <div className="decision-body" id={bodyId}>
          <DecisionDetail decision={decision} tenant={tenant} />
        </div>
      )}
    </li>
  );
}

function DecisionDetail({ decision, tenant }: { readonly decision: DecisionView; readonly tenant: Tenant }) {
  const { role } = useSession();
  const newest = decision.outcomes.at(-1);
  const plan = decision.outcomes.findLast((outcome) => outcome.plan !== null)?.plan ?? null;
  return (
    <>
      <dl className="facts">
        <dt>Proposes</dt>
        <dd>{actionText(decision)}</dd>
        <dt>Otherwise</dt>
        <dd>{decision.counterfactual}</dd>
        <dt>Proposed</dt>
        <dd>
          {formatInstant(decision.proposedAt, tenant.timeZone)}, policy {decision.policyVersion}, expires{' '}
          {formatInstant(decision.expiresAt, tenant.timeZone)}
        </dd>
        {newest !== undefined && (
          <>
            <dt>Outcome</dt>
            <dd>
              {inZone(newest.detail, tenant.timeZone)}{' '}
              <span className="soft">
                by {newest.actor}, {formatInstant(newest.at, tenant.timeZone)}
              </span>
            </dd>
          </>
        )}
      </dl>
      {newest !== undefined && newest.gates.length > 0 && (
        <ul className="gates" aria-label="Gates">
          {newest.gates.map((gate) => (
            <li key={gate.gate}>
              <Status tone={gate.passed ? 'good' : 'critical'} word={gate.gate.replaceAll(/[._]/g, ' ')} />{' '}
              <span className="soft">{inZone(gate.reason, tenant.timeZone)}</span>
            </li>
          ))}
        </ul>
      )}
      <EvidenceFacts decision={decision} tenant={tenant} />
      {plan !== null && <Diff text={plan.diff} count={plan.objects.length} />}
      {decision.state === 'open' && role === 'operator' && <Verdict decision={decision} />}
    </>
  );
}

function EvidenceFacts({ decision, tenant }: { readonly decision: DecisionView; readonly tenant: Tenant }) {
  const { evidence } = decision;
  return (
    <details className="evidence-details">
      <summary>Evidence, fresh as of {formatInstant(evidence.freshAsOf, tenant.timeZone)}</summary>
      <dl className="facts">
        {Object.entries(evidence.values).map(([name, value]) => (
          <div key={name} className="fact">
            <dt>{name}</dt>
            <dd>{typeof value === 'object' ? JSON.stringify(value) : String(value)}</dd>
          </div>
        ))}
      </dl>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre className="code" tabIndex={0}>
        {evidence.query}
      </pre>
    </details>
  );
}

/** A difference of Kubernetes objects with its added and removed lines marked. */
function Diff({ text, count }: { readonly text: string; readonly count: number }) {
  const tone = (line: string) => (line.startsWith('+') ? 'diff-add' : line.startsWith('-') ? 'diff-remove' : undefined);
  return (
    <div>
      <h4>
        Kubernetes objects, {count} {count === 1 ? 'object' : 'objects'}: what would change
      </h4>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre className="code diff" tabIndex={0}>
        {text === ''
          ? 'Nothing would change.'
          : text.split('\n').map((line, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: lines of a text have no other identity
              <span key={index} className={tone(line)}>
                {line}
                {'\n'}
              </span>
            ))}
      </pre>
    </div>
  );
}

function Verdict({ decision }: { readonly decision: DecisionView }) {
  const { token } = useSession();
  const client = useQueryClient();
  const [reason, setReason] = useState('');
  const verdict = useMutation({
    mutationFn: (action: 'approve' | 'veto') =>
      // The answer's form is the orchestrator's; the list is read again anyway.
      request(`/api/v1/decisions/${encodeURIComponent(decision.id)}/${action}`, z.unknown(), {
        token,
        method: 'POST',
        body: { reason: reason.trim() },
      }),
    onSettled: () => client.invalidateQueries({ queryKey: ['decisions'] }),
  });
  return (
    <div className="verdict">
      <label className="verdict-reason">
        <span>Reason, kept in the record</span>
        <input
          type="text"
          maxLength={500}
          placeholder="optional"
          value={reason}
          disabled={verdict.isPending}
          onChange={(event) => setReason(event.target.value)}
        />
      </label>
      <button
        type="button"
        className="button primary"
        disabled={verdict.isPending}
        onClick={() => verdict.mutate('approve')}
      >
        Approve
      </button>
      <button type="button" className="button" disabled={verdict.isPending} onClick={() => verdict.mutate('veto')}>
        Veto
      </button>
      <span role="status" className={verdict.error === null ? 'soft' : 'tone-critical'}>
        {verdict.isPending && 'Sending…'}
        {verdict.isSuccess && (verdict.variables === 'approve' ? 'Approved' : 'Vetoed')}
        {verdict.error !== null && (
          <>
            Not recorded: {verdict.error.message} <code>{codeOf(verdict.error)}</code>
          </>
        )}
      </span>
    </div>
  );
}
