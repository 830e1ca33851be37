import { useInfiniteQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useMemo, useState } from 'react';
import { request, withQuery } from '../../api/client.ts';
import { EvidencePage } from '../../api/schemas.ts';
import { useSession } from '../../api/session.tsx';
import { ErrorState, SkeletonRows } from '../../components/feedback.tsx';
import { Icon } from '../../components/icon.tsx';
import { SidePanel } from '../../components/side-panel.tsx';
import { Status } from '../../components/status.tsx';
import { compareDecimals, formatQuantity, trimDecimal } from '../../format/decimal.ts';
import { recompute } from './evidence-check.ts';
import { EvidenceRows } from './evidence-rows.tsx';

export interface EvidenceTarget {
  readonly title: string;
  readonly link: string;
  /** Quantity that the line states and the evidence must give. */
  readonly quantity: string;
}

const pageRows = 1000;
/** Pages that are read without being asked for. */
const pagesAtOnce = 20;

/** Reads the rows behind a link page by page, up to an allowance that grows on demand. */
function useEvidence(link: string) {
  const { token } = useSession();
  const [allowance, setAllowance] = useState(pagesAtOnce);
  const query = useInfiniteQuery({
    queryKey: ['evidence', link],
    queryFn: ({ pageParam, signal }) =>
      request(withQuery(link, { limit: pageRows, cursor: pageParam }), EvidencePage, { token, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page: EvidencePage) => page.nextCursor,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  const pages = query.data?.pages;
  const wanted = query.hasNextPage && (pages?.length ?? 0) < allowance && query.error === null;
  const { isFetching, fetchNextPage } = query;
  useEffect(() => {
    if (wanted && !isFetching) void fetchNextPage();
  }, [wanted, isFetching, fetchNextPage]);
  const rows = useMemo(() => (pages ?? []).flatMap((page) => page.rows), [pages]);
  return {
    first: pages?.[0],
    rows,
    complete: pages !== undefined && !query.hasNextPage,
    reading: wanted || isFetching,
    error: query.error,
    retry: () => void (pages === undefined ? query.refetch() : fetchNextPage()),
    more: () => setAllowance((pages?.length ?? 0) + pagesAtOnce),
  };
}

type Evidence = ReturnType<typeof useEvidence>;

/** The aggregate, the rows and the query behind a quantity, and behind a row its source records. */
export function EvidencePanel({ target, onClose }: { readonly target: EvidenceTarget; readonly onClose: () => void }) {
  const [source, setSource] = useState<{ link: string; title: string } | null>(null);
  return (
    <SidePanel title={target.title} onClose={onClose}>
      {source === null ? (
        <QuantityEvidence target={target} onSource={setSource} />
      ) : (
        <>
          <div className="evidence-tools">
            <button type="button" className="button" onClick={() => setSource(null)}>
              <Icon name="collapse" size={14} /> Back to the evidence
            </button>
            <span className="soft">{source.title}</span>
          </div>
          <SourceRecords link={source.link} />
        </>
      )}
    </SidePanel>
  );
}

function QuantityEvidence(props: {
  readonly target: EvidenceTarget;
  readonly onSource: (source: { link: string; title: string }) => void;
}) {
  const { target } = props;
  const evidence = useEvidence(target.link);
  return (
    <Loaded evidence={evidence}>
      {(first) => (
        <>
          <Comparison first={first} evidence={evidence} stated={target.quantity} />
          <h3>Aggregate</h3>
          <pre className="code">{first.aggregate}</pre>
          <EvidenceRows
            rows={evidence.rows}
            complete={evidence.complete}
            fileName={target.title}
            onDrill={(row, link) =>
              props.onSource({ link, title: `behind the row of ${row['bucket'] ?? 'this figure'}` })
            }
          />
          <ReadOn evidence={evidence} />
          <Query first={first} />
        </>
      )}
    </Loaded>
  );
}

function SourceRecords({ link }: { readonly link: string }) {
  const evidence = useEvidence(link);
  return (
    <Loaded evidence={evidence}>
      {(first) => (
        <>
          <EvidenceRows rows={evidence.rows} complete={evidence.complete} fileName="source-records" />
          <ReadOn evidence={evidence} />
          <Query first={first} />
        </>
      )}
    </Loaded>
  );
}

function Loaded(props: { readonly evidence: Evidence; readonly children: (first: EvidencePage) => ReactNode }) {
  const { evidence } = props;
  return (
    <>
      {evidence.error !== null && (
        <ErrorState what="The evidence could not be read" error={evidence.error} onRetry={evidence.retry} />
      )}
      {evidence.first !== undefined
        ? props.children(evidence.first)
        : evidence.error === null && <SkeletonRows rows={8} label="Reading the evidence" />}
    </>
  );
}

function Comparison(props: { readonly first: EvidencePage; readonly evidence: Evidence; readonly stated: string }) {
  const { first, stated, evidence } = props;
  const { rows, complete } = evidence;
  const recomputed = useMemo(
    () => (complete ? recompute(first.aggregate, rows) : null),
    [complete, first.aggregate, rows],
  );
  return (
    <>
      <dl className="evidence-figures">
        <div>
          <dt>On the page</dt>
          <dd title={stated}>{formatQuantity(stated, 6)}</dd>
        </div>
        <div>
          <dt>From the evidence</dt>
          <dd title={first.quantity}>{formatQuantity(first.quantity, 6)}</dd>
        </div>
        <div>
          <dt>Recomputed here</dt>
          <dd title={recomputed ?? undefined}>
            {recomputed === null ? (
              <span className="soft">{complete ? 'by the server only' : 'after all rows'}</span>
            ) : (
              formatQuantity(recomputed, 6)
            )}
          </dd>
        </div>
      </dl>
      <p role="status">
        <Verdict stated={stated} found={first.quantity} recomputed={recomputed} evidence={evidence} />
      </p>
    </>
  );
}

function Verdict(props: {
  readonly stated: string;
  readonly found: string;
  readonly recomputed: string | null;
  readonly evidence: Evidence;
}) {
  const { stated, found, recomputed, evidence } = props;
  const same = (other: string | null) => other === null || compareDecimals(other, stated) === 0;
  if (!same(found) || !same(recomputed)) {
    return (
      <Status
        tone="warning"
        word="The figures differ. A draft grows with its usage: close this and refresh the page. If they still differ, tell finance."
      />
    );
  }
  if (recomputed !== null) return <Status tone="good" word={`Agrees exactly: ${trimDecimal(stated)}`} />;
  const word = evidence.complete
    ? 'The server states the same; this page cannot recompute this aggregate.'
    : evidence.reading
      ? `Adding up the rows: ${evidence.rows.length} read`
      : 'Not all rows are read yet, so nothing is recomputed.';
  return <Status tone="neutral" word={word} />;
}

function ReadOn({ evidence }: { readonly evidence: Evidence }) {
  if (evidence.complete || evidence.error !== null) return null;
  return (
    <div>
      <button type="button" className="button" onClick={evidence.more} disabled={evidence.reading}>
        {evidence.reading ? 'Reading…' : 'Read more rows'}
      </button>
    </div>
  );
}

function Query({ first }: { readonly first: EvidencePage }) {
  return (
    <details className="evidence-details">
      <summary>The query that gave these rows</summary>
      <pre className="code">{first.query}</pre>
      {Object.keys(first.parameters).length > 0 && (
        <pre className="code">
          {Object.entries(first.parameters)
            .map(([name, value]) => `${name} = ${String(value)}`)
            .join('\n')}
        </pre>
      )}
    </details>
  );
}
