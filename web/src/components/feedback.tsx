import type { ReactNode } from 'react';
import { AppError } from 'streams/contract';
import { Icon } from './icon.tsx';

/** A grey block of the size of what is coming, so that nothing jumps. */
export function Skeleton({ height, label }: { readonly height: number; readonly label: string }) {
  return (
    <div className="skeleton" style={{ height }} role="status" aria-label={label}>
      <span className="visually-hidden">{label}</span>
    </div>
  );
}

/** Rows of a table that is loading. */
export function SkeletonRows({ rows, label }: { readonly rows: number; readonly label: string }) {
  return (
    <div className="skeleton-rows" role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity
        <div key={index} className="skeleton-row">
          <i />
          <i />
          <i />
          <i />
        </div>
      ))}
      <span className="visually-hidden">{label}</span>
    </div>
  );
}

/** Code of a failure as the reader can quote it. */
export function codeOf(error: unknown): string {
  return error instanceof AppError ? error.code : 'web.unexpected';
}

/** Says what failed, with which code, and offers to try again. */
export function ErrorState(props: {
  readonly what: string;
  readonly error: unknown;
  readonly onRetry: () => void;
  /** Word on the button where it does more than try again. */
  readonly action?: string;
  readonly compact?: boolean;
}) {
  const { what, error, onRetry } = props;
  const detail = error instanceof Error ? error.message : String(error);
  const correlationId = error instanceof AppError ? error.context['correlationId'] : undefined;
  return (
    <div className={props.compact === true ? 'error-state compact' : 'error-state'} role="alert">
      <Icon name="warning" size={18} />
      <div>
        <strong>{what}</strong>
        <p>
          {detail} <code>{codeOf(error)}</code>
          {typeof correlationId === 'string' && (
            <>
              {' '}
              · reference <code>{correlationId}</code>
            </>
          )}
        </p>
      </div>
      <button type="button" className="button" onClick={onRetry}>
        {props.action ?? 'Try again'}
      </button>
    </div>
  );
}

/** Says what would fill the place. */
export function EmptyState({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <div className="empty-state">
      <strong>{title}</strong>
      <div>{children}</div>
    </div>
  );
}
