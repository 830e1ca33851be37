import { lazy, type ReactNode, Suspense } from 'react';
import { Navigate, Outlet, Route, Routes, useLocation, useParams } from 'react-router';
import { AppError } from 'streams/contract';
import { useSession, useSessionState } from './api/session.tsx';
import { ErrorBoundary } from './components/error-boundary.tsx';
import { ErrorState, Skeleton } from './components/feedback.tsx';
import { Frame } from './frame/frame.tsx';
import { FleetPage } from './pages/fleet/fleet-page.tsx';
import { NotFoundPage } from './pages/not-found-page.tsx';
import { SignInPage } from './pages/sign-in/sign-in-page.tsx';

const TenantPage = lazy(async () => {
  try {
    return { default: (await import('./pages/tenant/tenant-page.tsx')).TenantPage };
  } catch (cause) {
    const detail = 'A part of the program did not arrive: the server is away, or has a newer version.';
    throw new AppError('web.page_not_loaded', detail, { cause });
  }
});

/** Sign-in, or the pages that the role may see. */
export function App() {
  const { status, failure, retry } = useSessionState();
  if (failure !== null) {
    return (
      <main className="sign-in">
        <ErrorState what="Your sign-in could not be checked" error={failure} onRetry={retry} />
      </main>
    );
  }
  if (status === 'starting') return <Skeleton height={120} label="Checking your sign-in" />;
  if (status === 'signed-out') return <SignInPage />;
  return <SignedIn />;
}

function SignedIn() {
  const { pathname } = useLocation();
  return (
    <Routes>
      <Route
        element={
          <OwnPageOnly>
            <Frame>
              {/* Keyed, so that another page is not kept hidden by the failure of this one. */}
              <ErrorBoundary key={pathname} what="This page could not be shown">
                <Suspense fallback={<Skeleton height={480} label="Opening the page" />}>
                  <Outlet />
                </Suspense>
              </ErrorBoundary>
            </Frame>
          </OwnPageOnly>
        }
      >
        <Route path="/" element={<FleetPage />} />
        <Route path="/tenants/:id" element={<TenantPage />} />
        <Route path="*" element={<NotFoundPage />} />
      </Route>
    </Routes>
  );
}

/** A tenant's key opens its own page; any other address leads there before anything of it is asked for. */
function OwnPageOnly({ children }: { readonly children: ReactNode }) {
  const { role, tenantId } = useSession();
  const { id } = useParams();
  if (role === 'tenant' && id !== tenantId) return <Navigate to={`/tenants/${tenantId ?? ''}`} replace />;
  return children;
}
