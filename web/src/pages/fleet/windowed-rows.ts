import { type RefObject, useEffect, useState } from 'react';

const threshold = 100;
const overscan = 12;

/** Part of a long list that is drawn, with the height of what stands before and after it. */
export interface RowWindow {
  readonly first: number;
  readonly last: number;
  readonly before: number;
  readonly after: number;
}

/** Rows to draw for a scroll position; all of them up to 100. */
export function rowWindow(count: number, rowHeight: number, scrolled: number, viewHeight: number): RowWindow {
  if (count <= threshold) return { first: 0, last: count, before: 0, after: 0 };
  const first = Math.min(count, Math.max(0, Math.floor(scrolled / rowHeight) - overscan));
  const last = Math.min(count, Math.ceil((scrolled + viewHeight) / rowHeight) + overscan);
  return { first, last, before: first * rowHeight, after: (count - last) * rowHeight };
}

/** Follows the scrolling of the page over a list of rows of one height. */
export function useRowWindow(list: RefObject<HTMLElement | null>, count: number, rowHeight: number): RowWindow {
  const [scrolled, setScrolled] = useState(0);
  const [viewHeight, setViewHeight] = useState(() => innerHeight);
  useEffect(() => {
    if (count <= threshold) return;
    const measure = () => {
      setScrolled(Math.max(0, -(list.current?.getBoundingClientRect().top ?? 0)));
      setViewHeight(innerHeight);
    };
    measure();
    addEventListener('scroll', measure, { passive: true });
    addEventListener('resize', measure);
    return () => {
      removeEventListener('scroll', measure);
      removeEventListener('resize', measure);
    };
  }, [list, count]);
  return rowWindow(count, rowHeight, scrolled, viewHeight);
}
