import { Component, type ReactNode } from 'react';
import { ErrorState } from './feedback.tsx';

interface BoundaryProps {
  readonly what: string;
  readonly children: ReactNode;
}

/** Shows what failed and a reload where rendering or loading a page throws, instead of nothing. */
export class ErrorBoundary extends Component<BoundaryProps, { readonly failure: { readonly error: unknown } | null }> {
  override state: { readonly failure: { readonly error: unknown } | null } = { failure: null };

  static getDerivedStateFromError(error: unknown) {
    return { failure: { error } };
  }

  override render() {
    const { failure } = this.state;
    if (failure === null) return this.props.children;
    return (
      <div className="page">
        <ErrorState
          what={this.props.what}
          error={failure.error}
          action="Reload"
          // A module that failed to load is not asked for again by the same document.
          onRetry={() => location.reload()}
        />
      </div>
    );
  }
}
