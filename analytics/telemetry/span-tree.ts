/** Enough of a span to place it. */
interface Placed {
  readonly spanId: string;
  readonly parentSpanId: string;
}

/**
 * Spans in the order of their tree: each before its children, children in the order in which they came. A span whose parent is missing stands as a root; of a circle the first that came begins.
 *
 * *Shape* the same spans, each once.
 */
export function inTreeOrder<T extends Placed>(spans: readonly T[]): T[] {
  const known = new Set(spans.map((span) => span.spanId));
  const children = new Map<string, T[]>();
  for (const span of spans) {
    const parent = span.parentSpanId !== span.spanId && known.has(span.parentSpanId) ? span.parentSpanId : '';
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [span]);
    else siblings.push(span);
  }
  const placed = new Set<T>();
  const place = (root: T): void => {
    const stack = [root];
    for (let span = stack.pop(); span !== undefined; span = stack.pop()) {
      if (placed.has(span)) continue;
      placed.add(span);
      stack.push(...(children.get(span.spanId) ?? []).toReversed());
    }
  };
  for (const root of children.get('') ?? []) place(root);
  for (const span of spans) if (!placed.has(span)) place(span);
  return [...placed];
}
