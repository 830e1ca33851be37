import { type FormEvent, useState } from 'react';
import { AppError } from 'streams/contract';
import { useSessionState } from '../../api/session.tsx';
import { Icon, Mark } from '../../components/icon.tsx';
import { ThemeSwitch } from '../../frame/top-bar.tsx';

/** Takes an operator token or a tenant's API key. */
export function SignInPage() {
  const { signIn, notice } = useSessionState();
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<{ text: string; code: string } | null>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const trimmed = token.trim();
    if (trimmed === '') {
      setProblem({ text: 'Paste a token or an API key first.', code: 'web.token_missing' });
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      await signIn(trimmed);
    } catch (error) {
      setBusy(false);
      setProblem(describe(error));
    }
  };

  return (
    <main className="sign-in">
      <div className="sign-in-theme">
        <ThemeSwitch />
      </div>
      <form onSubmit={submit} noValidate>
        <div className="sign-in-brand">
          <Mark />
          <span>DotMac Pulse</span>
        </div>
        <h1>Sign in</h1>
        {notice !== null && (
          <p className="notice" role="status">
            <Icon name="warning" />
            {notice}
          </p>
        )}
        <label htmlFor="token">Operator token or tenant API key</label>
        <input
          id="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          // biome-ignore lint/a11y/noAutofocus: the page has this one field
          autoFocus
          value={token}
          onChange={(event) => setToken(event.target.value)}
          aria-invalid={problem !== null}
          aria-describedby={problem === null ? 'token-hint' : 'token-problem token-hint'}
        />
        {problem !== null && (
          <p id="token-problem" className="field-problem" role="alert">
            {problem.text} <code>{problem.code}</code>
          </p>
        )}
        <button type="submit" className="button primary" disabled={busy}>
          {busy ? 'Checking…' : 'Sign in'}
        </button>
        <p id="token-hint" className="hint">
          The operator token is in <code>operator.token</code> in the server’s data directory. A tenant signs in with
          one of its API keys and sees its own page. The key stays in this browser tab until you sign out or close it.
        </p>
      </form>
    </main>
  );
}

function describe(error: unknown): { text: string; code: string } {
  if (!(error instanceof AppError)) return { text: 'The sign-in failed.', code: 'web.unexpected' };
  if (error.status === 401) {
    return {
      text: 'The server does not know this token, or it was revoked. Check for a missing character.',
      code: error.code,
    };
  }
  if (error.retryable) return { text: `${error.message} Your token was not refused; try again.`, code: error.code };
  return { text: error.message, code: error.code };
}
