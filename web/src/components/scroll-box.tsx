import type { ReactNode } from 'react';

/** A box that scrolls sideways instead of the page; it takes the focus so that the arrow keys reach what it hides. */
export function ScrollBox(props: {
  readonly label: string;
  readonly className?: string;
  readonly height?: number;
  readonly children: ReactNode;
}) {
  return (
    <section
      className={props.className ?? 'table-scroll'}
      style={props.height === undefined ? undefined : { height: props.height }}
      aria-label={props.label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
    >
      {props.children}
    </section>
  );
}
