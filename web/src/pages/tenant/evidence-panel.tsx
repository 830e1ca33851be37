import { useInfiniteQuery } from '@tanstack/react-query';
import { request, withQuery } from '../../api/client.ts';
import { EvidencePage } from '../../api/schemas.ts';
import { useSession } from '../../api/session.tsx';
import { EmptyState, ErrorState, SkeletonRows } from '../../components/feedback.tsx';
import { ScrollBox } from '../../components/scroll-box.tsx';
import { SidePanel } from '../../components/side-panel.tsx';
import { Status } from '../../components/status.tsx';
import { compareDecimals, formatQuantity, trimDecimal } from '../../format/decimal.ts';
import { missing } from '../../format/locale.ts';
import { recompute } from './evidence-check.ts';

export interface EvidenceTarget {
  readonly title: string;
  readonly link: string;
  /** Quantity that the line states and the evidence must give. */
  readonly quantity: string;
}

/** The query, its rows and the aggregate behind a quantity. */
export function EvidencePanel({ target, onClose }: { readonly target: EvidenceTarget; readonly onClose: () => void }) {
  const { token } = useSession();
  const evidence = useInfiniteQuery({
    queryKey: ['evidence', target.link],
    queryFn: ({ pageParam, signal }) =>
      request(withQuery(target.link, { cursor: pageParam }), EvidencePage, { token, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page: EvidencePage) => page.nextCursor,
    staleTime: 30_000,
  });
  const pages = evidence.data?.pages ?? [];
  const first = pages[0];
  return (
    <SidePanel title={target.title} onClose={onClose}>
      {first === undefined ? (
        evidence.error === null ? (
          <SkeletonRows rows={8} label="Reading the evidence" />
        ) : (
          <ErrorState
            what="The evidence could not be read"
            error={evidence.error}
            onRetry={() => void evidence.refetch()}
          />
        )
      ) : (
        <EvidenceView
          first={first}
          rows={pages.flatMap((page) => page.rows)}
          complete={!evidence.hasNextPage}
          stated={target.quantity}
          loading={evidence.isFetchingNextPage}
          onMore={() => void evidence.fetchNextPage()}
        />
      )}
    </SidePanel>
  );
}

function EvidenceView(props: {
  readonly first: EvidencePage;
  readonly rows: EvidencePage['rows'];
  readonly complete: boolean;
  readonly stated: string;
  readonly loading: boolean;
  readonly onMore: () => void;
}) {
  const { first, rows, complete, stated } = props;
  const recomputed = complete ? recompute(first.aggregate, rows) : null;
  const agrees = compareDecimals(first.quantity, stated) === 0;
  const recomputedAgrees = recomputed === null || compareDecimals(recomputed, stated) === 0;
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
      <p>
        {agrees && recomputedAgrees ? (
          <Status tone="good" word={`Agrees exactly: ${trimDecimal(stated)}`} />
        ) : (
          <Status
            tone="warning"
            word="The figures differ. A draft grows with its usage: close this and refresh the page. If they still differ, tell finance."
          />
        )}
      </p>
      <h3>Aggregate</h3>
      <pre className="code">{first.aggregate}</pre>
      <h3>Query</h3>
      <pre className="code">{first.query}</pre>
      {Object.keys(first.parameters).length > 0 && (
        <pre className="code">
          {Object.entries(first.parameters)
            .map(([name, value]) => `${name} = ${String(value)}`)
            .join('\n')}
        </pre>
      )}
      <h3>
        {rows.length} {rows.length === 1 ? 'row' : 'rows'}
        {complete ? '' : ' so far'}
      </h3>
      <EvidenceRows rows={rows} />
      {!complete && (
        <button type="button" className="button" onClick={props.onMore} disabled={props.loading}>
          {props.loading ? 'Reading…' : 'Read more rows'}
        </button>
      )}
    </>
  );
}

function EvidenceRows({ rows }: { readonly rows: EvidencePage['rows'] }) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (rows.length === 0)
    return <EmptyState title="No rows">The quantity rests on nothing that was recorded: it is zero.</EmptyState>;
  return (
    <ScrollBox className="table-scroll evidence-rows" label="Rows of the evidence">
      <table className="table mono">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows are append-only and carry no id of a known name
            <tr key={index}>
              {columns.map((column) => (
                <td key={column}>{row[column] ?? missing}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
