import { useSearchParams } from 'react-router';
import { type Sorting, type SortKey, sortKeys } from './fleet-rows.ts';

export const optionalColumns = [
  { id: 'attainment', label: 'Attainment' },
  { id: 'customers', label: 'Customers' },
  { id: 'bill', label: 'Bill so far' },
  { id: 'decisions', label: 'Open decisions' },
] as const;
export type ColumnId = (typeof optionalColumns)[number]['id'];

export interface FleetView {
  readonly sorting: Sorting;
  readonly health: ReadonlySet<string>;
  readonly breaching: boolean;
  readonly text: string;
  readonly hidden: ReadonlySet<string>;
}

const isSortKey = (text: string | null): text is SortKey => sortKeys.some((key) => key === text);
const listOf = (text: string | null) => new Set((text ?? '').split(',').filter(Boolean));

/** Reads sort, filters and columns from the address. */
export function parseFleetView(search: URLSearchParams): FleetView {
  const key = search.get('sort');
  return {
    sorting: isSortKey(key) ? { key, descending: search.get('dir') === 'desc' } : { key: 'health', descending: false },
    health: listOf(search.get('health')),
    breaching: search.get('breaching') === 'yes',
    text: search.get('q') ?? '',
    hidden: listOf(search.get('hide')),
  };
}

/** The view of the fleet and the ways to change it; each change is saved in the address. */
export function useFleetView() {
  const [search, setSearch] = useSearchParams();
  const view = parseFleetView(search);
  const change = (values: Record<string, string | null>) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        for (const [name, value] of Object.entries(values)) {
          if (value === null || value === '') after.delete(name);
          else after.set(name, value);
        }
        return after;
      },
      { replace: true },
    );
  const toggle = (set: ReadonlySet<string>, item: string) =>
    [...(set.has(item) ? [...set].filter((other) => other !== item) : [...set, item])].join(',');
  return {
    view,
    sortBy: (key: SortKey) => {
      const same = view.sorting.key === key;
      // Figures are first wanted from the largest, names and the worst health from the first; attainment from the lowest.
      const first = key === 'customers' || key === 'bill' || key === 'decisions';
      const descending = same ? !view.sorting.descending : first;
      change({ sort: key, dir: descending ? 'desc' : 'asc' });
    },
    toggleHealth: (state: string) => change({ health: toggle(view.health, state) }),
    toggleBreaching: () => change({ breaching: view.breaching ? null : 'yes' }),
    toggleColumn: (column: ColumnId) => change({ hide: toggle(view.hidden, column) }),
    search: (text: string) => change({ q: text }),
    clearFilters: () => change({ q: null, health: null, breaching: null }),
  };
}
