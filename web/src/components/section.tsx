import type { ReactNode } from 'react';

/** A part of the page with its heading, which links and the rail point to. */
export function Section(props: {
  readonly id: string;
  readonly title: string;
  readonly note?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <section id={props.id} className="section" aria-labelledby={`${props.id}-title`} tabIndex={-1}>
      <header className="section-head">
        <h2 id={`${props.id}-title`}>{props.title}</h2>
        {props.note !== undefined && <span className="section-note">{props.note}</span>}
        {props.actions !== undefined && <span className="section-actions">{props.actions}</span>}
      </header>
      {props.children}
    </section>
  );
}
