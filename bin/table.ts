import Table from 'cli-table3';

/** A column of a printed table. */
export interface ColumnSpec<Row> {
  readonly title: string;
  readonly right?: boolean;
  value(row: Row): string;
}

/** Renders rows as a plain table without colours, so that it can be read, piped and compared. */
export function renderTable<Row>(columns: readonly ColumnSpec<Row>[], rows: readonly Row[]): string {
  const table = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ right }) => (right === true ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: ' ',
    },
  });
  table.push(...rows.map((row) => columns.map((column) => column.value(row))));
  return table.toString();
}

/** A missing figure is a dash, never 0. */
export const orDash = (value: number | string | null, format: (value: number) => string = String): string =>
  value === null ? '–' : typeof value === 'number' ? format(value) : value;
