import { type KeyboardEvent, type RefObject, useLayoutEffect, useRef, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { narrowQuery, useMedia } from '../../components/clock.tsx';
import { Icon } from '../../components/icon.tsx';
import { AttainmentCell, BillCell, CustomersCell, DecisionsCell, HealthCell } from './fleet-cells.tsx';
import type { FleetEntry, Sorting, SortKey } from './fleet-rows.ts';
import { useRowWindow } from './windowed-rows.ts';

interface TableProps {
  readonly entries: readonly FleetEntry[];
  readonly sorting: Sorting;
  readonly hidden: ReadonlySet<string>;
  readonly billReason: (tenant: string) => string | null;
  readonly onSort: (key: SortKey) => void;
}

// Heights of `.fleet-table tr` and `.fleet-list li` in parts.css.
const rowHeight = 36;
const itemHeight = 104;

/** Moves the focus over the links of the rows with the arrow keys; a row outside of the drawn window is scrolled to first. */
function useRowFocus(list: RefObject<HTMLElement | null>, count: number, height: number) {
  const [active, setActive] = useState(0);
  const wanted = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (wanted.current === null) return;
    const link = list.current?.querySelector<HTMLElement>(`[data-row="${wanted.current}"]`);
    if (link === null || link === undefined) return;
    wanted.current = null;
    link.focus({ preventScroll: true });
    link.scrollIntoView({ block: 'nearest' });
  });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const targets: Record<string, number> = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: count - 1 };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(count - 1, target));
    wanted.current = next;
    setActive(next);
    if (list.current?.querySelector(`[data-row="${next}"]`) === null) {
      const top = list.current.getBoundingClientRect().top + scrollY + next * height;
      scrollTo({ top: top - innerHeight / 2, behavior: 'instant' });
    }
  };
  return { active: Math.min(active, Math.max(0, count - 1)), setActive, onKeyDown };
}

/** The fleet as a table, on a phone as a list. */
export function FleetTable(props: TableProps) {
  return useMedia(narrowQuery) ? <NarrowList {...props} /> : <WideTable {...props} />;
}

const columns: readonly { key: SortKey; label: string; right?: boolean }[] = [
  { key: 'name', label: 'Tenant' },
  { key: 'health', label: 'Health' },
  { key: 'attainment', label: 'Attainment', right: true },
  { key: 'customers', label: 'Customers', right: true },
  { key: 'bill', label: 'Bill so far', right: true },
  { key: 'decisions', label: 'Open decisions', right: true },
];

function WideTable({ entries, sorting, hidden, billReason, onSort }: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const view = useRowWindow(body, entries.length, rowHeight);
  const focus = useRowFocus(body, entries.length, rowHeight);
  const navigate = useNavigate();
  const shown = columns.filter((column) => !hidden.has(column.key));
  return (
    <table className="table fleet-table" aria-rowcount={entries.length + 1}>
      <caption className="visually-hidden">Tenants; arrow keys move between rows, Enter opens one</caption>
      <thead>
        <tr>
          {shown.map((column) => (
            <SortHeader key={column.key} column={column} sorting={sorting} onSort={onSort} />
          ))}
        </tr>
      </thead>
      <tbody ref={body} onKeyDown={focus.onKeyDown}>
        {view.before > 0 && <Spacer height={view.before} columns={shown.length} />}
        {entries.slice(view.first, view.last).map((entry, offset) => {
          const index = view.first + offset;
          return (
            <tr key={entry.tenant.id} aria-rowindex={index + 2} onClick={() => navigate(`/tenants/${entry.tenant.id}`)}>
              <th scope="row">
                <span className="tenant-cell">
                  <TenantLink entry={entry} index={index} active={focus.active} onFocus={focus.setActive} />
                  <small>
                    {entry.tenant.tier}, {entry.tenant.region}
                  </small>
                </span>
              </th>
              <td>
                <HealthCell entry={entry} />
              </td>
              {!hidden.has('attainment') && (
                <td className="right">
                  <AttainmentCell entry={entry} />
                </td>
              )}
              {!hidden.has('customers') && (
                <td className="right">
                  <CustomersCell entry={entry} />
                </td>
              )}
              {!hidden.has('bill') && (
                <td className="right">
                  <BillCell entry={entry} reason={billReason(entry.tenant.id)} />
                </td>
              )}
              {!hidden.has('decisions') && (
                <td className="right">
                  <DecisionsCell entry={entry} />
                </td>
              )}
            </tr>
          );
        })}
        {view.after > 0 && <Spacer height={view.after} columns={shown.length} />}
      </tbody>
    </table>
  );
}

function SortHeader(props: {
  readonly column: (typeof columns)[number];
  readonly sorting: Sorting;
  readonly onSort: (key: SortKey) => void;
}) {
  const { column, sorting } = props;
  const sorted = sorting.key === column.key;
  return (
    <th
      scope="col"
      className={column.right === true ? 'right' : undefined}
      aria-sort={sorted ? (sorting.descending ? 'descending' : 'ascending') : 'none'}
    >
      <button type="button" className="sort-button" onClick={() => props.onSort(column.key)}>
        {column.label}
        {sorted && <Icon name={sorting.descending ? 'down' : 'up'} size={12} />}
      </button>
    </th>
  );
}

function Spacer(props: { readonly height: number; readonly columns: number }) {
  return (
    <tr className="spacer">
      <td colSpan={props.columns} style={{ height: props.height }} />
    </tr>
  );
}

interface LinkProps {
  readonly entry: FleetEntry;
  readonly index: number;
  readonly active: number;
  readonly onFocus: (index: number) => void;
}

function TenantLink({ entry, index, active, onFocus }: LinkProps) {
  const { tenant } = entry;
  return (
    <Link
      className="tenant-link"
      to={`/tenants/${tenant.id}`}
      data-row={index}
      tabIndex={index === active ? 0 : -1}
      onFocus={() => onFocus(index)}
      onClick={(event) => event.stopPropagation()}
      title={`${tenant.name} (${tenant.id}), ${tenant.tier}, ${tenant.region}`}
    >
      <bdi className="ellipsis">{tenant.name}</bdi>
      {tenant.state !== 'active' && <span className="tag">{tenant.state}</span>}
    </Link>
  );
}

function NarrowList({ entries, billReason }: TableProps) {
  const list = useRef<HTMLUListElement>(null);
  const view = useRowWindow(list, entries.length, itemHeight);
  const focus = useRowFocus(list, entries.length, itemHeight);
  return (
    <ul className="fleet-list" ref={list} onKeyDown={focus.onKeyDown}>
      {view.before > 0 && <li className="spacer" aria-hidden="true" style={{ height: view.before }} />}
      {entries.slice(view.first, view.last).map((entry, offset) => (
        <li key={entry.tenant.id}>
          <div className="fleet-item-head">
            <TenantLink entry={entry} index={view.first + offset} active={focus.active} onFocus={focus.setActive} />
            <HealthCell entry={entry} />
          </div>
          <dl>
            <div>
              <dt>Attainment</dt>
              <dd>
                <AttainmentCell entry={entry} />
              </dd>
            </div>
            <div>
              <dt>Customers</dt>
              <dd>
                <CustomersCell entry={entry} />
              </dd>
            </div>
            <div>
              <dt>Bill so far</dt>
              <dd>
                <BillCell entry={entry} reason={billReason(entry.tenant.id)} />
              </dd>
            </div>
            <div>
              <dt>Decisions</dt>
              <dd>
                <DecisionsCell entry={entry} />
              </dd>
            </div>
          </dl>
        </li>
      ))}
      {view.after > 0 && <li className="spacer" aria-hidden="true" style={{ height: view.after }} />}
    </ul>
  );
}
