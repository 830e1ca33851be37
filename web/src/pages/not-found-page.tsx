import { Link } from 'react-router';
import { EmptyState } from '../components/feedback.tsx';

/** For an address that leads nowhere. */
export function NotFoundPage() {
  return (
    <div className="page">
      <h1>There is no such page</h1>
      <EmptyState title="The address may be mistyped or from an older version.">
        <Link className="button" to="/">
          Go to the fleet
        </Link>
      </EmptyState>
    </div>
  );
}
