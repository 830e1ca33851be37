import '@fontsource-variable/inter/wght.css';
import 'uplot/dist/uPlot.min.css';
import './theme/tokens.css';
import './theme/base.css';
import './theme/frame.css';
import './theme/parts.css';
import './theme/tenant.css';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { AppError } from 'streams/contract';
import { SessionProvider } from './api/session.tsx';
import { App } from './app.tsx';
import { ErrorBoundary } from './components/error-boundary.tsx';
import { repairNavigatorLanguage } from './format/locale.ts';
import { startTheme } from './theme/theme.ts';

repairNavigatorLanguage();
startTheme();

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // Only what may succeed later is tried again; a refusal is shown at once.
      retry: (count, error) => error instanceof AppError && error.retryable && count < 2,
      retryDelay: (count) => 500 * 2 ** count,
      staleTime: 5_000,
      refetchOnWindowFocus: true,
    },
  },
});

const root = document.getElementById('root');
if (root === null) throw new Error('invariant: index.html has a root');
createRoot(root).render(
  <StrictMode>
    <ErrorBoundary what="The portal could not be shown">
      <QueryClientProvider client={client}>
        <SessionProvider>
          {/* Without transitions the address follows each key press at once; a field that shows it would lose letters otherwise. */}
          <BrowserRouter useTransitions={false}>
            <App />
          </BrowserRouter>
        </SessionProvider>
      </QueryClientProvider>
    </ErrorBoundary>
  </StrictMode>,
);
