import type { EvidencePage } from '../../api/schemas.ts';
import { downloadText } from '../../components/download.ts';
import { EmptyState } from '../../components/feedback.tsx';
import { Icon } from '../../components/icon.tsx';
import { ScrollBox } from '../../components/scroll-box.tsx';
import { toCsv } from '../../format/csv.ts';
import { formatCount } from '../../format/figure.ts';
import { missing } from '../../format/locale.ts';

type Row = EvidencePage['rows'][number];
const shownMax = 200;
const drillColumn = 'raw';

/** Rows behind a figure as a table, with CSV; a row that names its source records opens them. */
export function EvidenceRows(props: {
  readonly rows: readonly Row[];
  readonly complete: boolean;
  readonly fileName: string;
  readonly onDrill?: (row: Row, link: string) => void;
}) {
  const { rows, complete, onDrill } = props;
  const columns = [...new Set(rows.slice(0, shownMax).flatMap((row) => Object.keys(row)))].filter(
    // A column that is empty in every row says nothing.
    (column) => column !== drillColumn && rows.some((row) => row[column] !== '' && row[column] !== null),
  );
  if (rows.length === 0)
    return <EmptyState title="No rows">The quantity rests on nothing that was recorded: it is zero.</EmptyState>;
  const drills = onDrill !== undefined && rows.some((row) => typeof row[drillColumn] === 'string');
  const save = () =>
    downloadText(
      `${props.fileName}.csv`,
      'text/csv',
      toCsv(
        columns,
        rows.map((row) => columns.map((column) => row[column] ?? null)),
      ),
    );
  return (
    <>
      <div className="evidence-tools">
        <h3>
          {formatCount(rows.length)} {rows.length === 1 ? 'row' : 'rows'}
          {complete ? '' : ' so far'}
        </h3>
        {rows.length > shownMax && <span className="soft">the first {shownMax} are shown, the CSV has all</span>}
        <button type="button" className="button quiet" onClick={save}>
          <Icon name="download" size={14} /> CSV
        </button>
      </div>
      <ScrollBox className="table-scroll evidence-rows" label="Rows of the evidence">
        <table className="table mono">
          <thead>
            <tr>
              {drills && <th scope="col">source</th>}
              {columns.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shownMax).map((row, index) => {
              const link = row[drillColumn];
              return (
                // biome-ignore lint/suspicious/noArrayIndexKey: rows are append-only and carry no id of a known name
                <tr key={index}>
                  {drills && (
                    <td>
                      {typeof link === 'string' && (
                        <button type="button" className="link-button" onClick={() => onDrill(row, link)}>
                          records
                        </button>
                      )}
                    </td>
                  )}
                  {columns.map((column) => (
                    <td key={column}>{row[column] ?? missing}</td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </ScrollBox>
    </>
  );
}
