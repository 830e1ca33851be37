import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import { AppError } from 'streams/contract';
import { request } from './client.ts';
import { SessionInfo } from './schemas.ts';

const storageKey = 'pulse.token';

export interface Session extends SessionInfo {
  readonly token: string;
}

interface SessionState {
  /** `starting` while a stored credential is being checked. */
  readonly status: 'starting' | 'signed-out' | 'signed-in';
  readonly session: Session | null;
  /** Why the reader stands at the sign-in page again. */
  readonly notice: string | null;
  /** Set when a stored credential could not be checked because the server failed. */
  readonly failure: AppError | null;
}

interface SessionActions {
  signIn(token: string): Promise<void>;
  signOut(notice?: string): void;
  retry(): void;
}

const Context = createContext<(SessionState & SessionActions) | null>(null);

/** Sentence shown when a credential that worked is refused. */
export const endedNotice = 'Your session has ended: the token was revoked or has expired. Sign in again to go on.';

/** Keeps the credential for this browser tab and says who it stands for. */
export function SessionProvider({ children }: { readonly children: ReactNode }) {
  const client = useQueryClient();
  const [attempt, setAttempt] = useState(0);
  const [state, setState] = useState<SessionState>(() => ({
    status: sessionStorage.getItem(storageKey) === null ? 'signed-out' : 'starting',
    session: null,
    notice: null,
    failure: null,
  }));

  const signOut = useCallback(
    (notice?: string) => {
      sessionStorage.removeItem(storageKey);
      client.clear();
      setState({ status: 'signed-out', session: null, notice: notice ?? null, failure: null });
    },
    [client],
  );

  const signIn = useCallback(async (token: string) => {
    const info = await request('/api/v1/session', SessionInfo, { token });
    sessionStorage.setItem(storageKey, token);
    setState({ status: 'signed-in', session: { ...info, token }, notice: null, failure: null });
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `attempt` is the reader's "try again"
  useEffect(() => {
    const token = sessionStorage.getItem(storageKey);
    if (token === null) return;
    signIn(token).catch((error: unknown) => {
      if (error instanceof AppError && error.status === 401) return signOut(endedNotice);
      const failure = error instanceof AppError ? error : new AppError('web.unexpected', String(error));
      setState((before) => (before.status === 'starting' ? { ...before, failure } : before));
    });
  }, [signIn, signOut, attempt]);

  // Any query that is refused later ends the session, wherever it stands on the page.
  useEffect(() => {
    const ended = (error: unknown) => {
      if (error instanceof AppError && error.status === 401) signOut(endedNotice);
    };
    const unsubscribe = client.getQueryCache().subscribe((event) => {
      if (event.type === 'updated' && event.action.type === 'error') ended(event.action.error);
    });
    const unsubscribeMutations = client.getMutationCache().subscribe((event) => {
      if (event.type === 'updated' && event.action.type === 'error') ended(event.action.error);
    });
    return () => {
      unsubscribe();
      unsubscribeMutations();
    };
  }, [client, signOut]);

  const retry = useCallback(() => {
    setState((before) => ({ ...before, failure: null }));
    setAttempt((count) => count + 1);
  }, []);

  const value = useMemo(() => ({ ...state, signIn, signOut, retry }), [state, signIn, signOut, retry]);
  return <Context value={value}>{children}</Context>;
}

/** State of the sign-in and what can be done about it. */
export function useSessionState(): SessionState & SessionActions {
  const value = useContext(Context);
  if (value === null) throw new Error('invariant: outside of SessionProvider');
  return value;
}

/** The signed-in session; only below the sign-in. */
export function useSession(): Session {
  const { session } = useSessionState();
  if (session === null) throw new Error('invariant: no session');
  return session;
}
