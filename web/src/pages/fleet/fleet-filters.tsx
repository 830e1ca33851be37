import { useEffect, useRef, useState } from 'react';
import { narrowQuery, useMedia } from '../../components/clock.tsx';
import { Icon } from '../../components/icon.tsx';
import { healthWords } from './fleet-cells.tsx';
import { type FleetEntry, healthOrder, isBreaching, type SortKey, sortKeys } from './fleet-rows.ts';
import { optionalColumns, type useFleetView } from './fleet-view.ts';

const sortWords: Record<SortKey, string> = {
  name: 'name',
  health: 'health, worst first',
  attainment: 'attainment',
  customers: 'customers',
  bill: 'bill so far',
  decisions: 'open decisions',
};

/** Search, filter chips and column choice above the fleet. */
export function FleetFilters(props: {
  readonly all: readonly FleetEntry[];
  readonly shown: number;
  readonly controls: ReturnType<typeof useFleetView>;
}) {
  const { all, controls } = props;
  const { view } = controls;
  const narrow = useMedia(narrowQuery);
  const breaching = all.filter(isBreaching).length;
  const unread = all.some((entry) => entry.unread !== null);
  const filtered = view.health.size > 0 || view.breaching || view.text !== '';
  return (
    <fieldset className="filters">
      <legend className="visually-hidden">Filters</legend>
      <label className="search-field">
        <Icon name="search" />
        <span className="visually-hidden">Find a tenant</span>
        <input
          type="search"
          placeholder="Find a tenant"
          value={view.text}
          onChange={(event) => controls.search(event.target.value)}
        />
      </label>
      {healthOrder.map((state) => {
        const count = all.filter((entry) => entry.health === state).length;
        if ((count === 0 || unread) && !view.health.has(state)) return null;
        return (
          <Chip
            key={state}
            label={healthWords[state].word}
            count={count}
            pressed={view.health.has(state)}
            onToggle={() => controls.toggleHealth(state)}
          />
        );
      })}
      {(breaching > 0 || view.breaching) && (
        <Chip label="Over budget" count={breaching} pressed={view.breaching} onToggle={controls.toggleBreaching} />
      )}
      {filtered && (
        <button type="button" className="button quiet" onClick={controls.clearFilters}>
          Clear
        </button>
      )}
      <span className="filters-count" aria-live="polite">
        {props.shown === all.length ? `${all.length} tenants` : `${props.shown} of ${all.length} tenants`}
      </span>
      {narrow ? (
        <label className="sort-field">
          <span className="visually-hidden">Sort by</span>
          <select
            value={view.sorting.key}
            onChange={(event) => controls.sortBy(sortKeys.find((key) => key === event.target.value) ?? 'health')}
          >
            {sortKeys.map((key) => (
              <option key={key} value={key}>
                By {sortWords[key]}
              </option>
            ))}
          </select>
        </label>
      ) : (
        <ColumnChoice hidden={view.hidden} onToggle={controls.toggleColumn} />
      )}
    </fieldset>
  );
}

function Chip(props: {
  readonly label: string;
  readonly count: number;
  readonly pressed: boolean;
  readonly onToggle: () => void;
}) {
  return (
    <button type="button" className="chip" aria-pressed={props.pressed} onClick={props.onToggle}>
      {props.label} <span className="chip-count">{props.count}</span>
    </button>
  );
}

function ColumnChoice(props: {
  readonly hidden: ReadonlySet<string>;
  readonly onToggle: (column: (typeof optionalColumns)[number]['id']) => void;
}) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (event.target instanceof Node && box.current?.contains(event.target) === false) setOpen(false);
    };
    const onEscape = (event: KeyboardEvent) => {
      if (event.key === 'Escape') setOpen(false);
    };
    addEventListener('pointerdown', outside);
    addEventListener('keydown', onEscape);
    return () => {
      removeEventListener('pointerdown', outside);
      removeEventListener('keydown', onEscape);
    };
  }, [open]);
  return (
    <div className="column-choice" ref={box}>
      <button type="button" className="button quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="columns" /> Columns
      </button>
      {open && (
        <fieldset className="menu">
          <legend className="visually-hidden">Columns</legend>
          {optionalColumns.map((column) => (
            <label key={column.id}>
              <input
                type="checkbox"
                checked={!props.hidden.has(column.id)}
                onChange={() => props.onToggle(column.id)}
              />
              {column.label}
            </label>
          ))}
        </fieldset>
      )}
    </div>
  );
}
