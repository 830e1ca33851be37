import { useQuery } from '@tanstack/react-query';
import { Link, useLocation, useNavigate } from 'react-router';
import { tenantQuery, tenantsQuery } from '../api/queries.ts';
import { useSession, useSessionState } from '../api/session.tsx';
import { narrowQuery, useMedia } from '../components/clock.tsx';
import { Icon, type IconName } from '../components/icon.tsx';
import { setTheme, type ThemeChoice, themeChoices, useThemeChoice } from '../theme/theme.ts';
import { RangePicker } from './range-picker.tsx';

const people = { operator: 'Operator', tenant: 'Tenant', partner: 'Partner' } as const;

/** Where the reader is, which time is shown, and the way to anywhere else. */
export function TopBar(props: { readonly tenantId: string | null; readonly onPalette: () => void }) {
  const session = useSession();
  const { signOut } = useSessionState();
  const narrow = useMedia(narrowQuery);
  return (
    <header className="top-bar">
      <Breadcrumbs tenantId={props.tenantId} />
      <div className="top-tools">
        {props.tenantId !== null && <RangePicker tenantId={props.tenantId} />}
        <button
          type="button"
          className="button quiet palette-button"
          onClick={props.onPalette}
          aria-label={narrow ? 'Go to' : undefined}
        >
          <Icon name="search" />
          <span className="wide-only">Go to</span>
          <kbd className="wide-only">Ctrl K</kbd>
        </button>
        <ThemeSwitch />
        <span className="person wide-only" title={session.tenantId ?? 'sees every tenant'}>
          {people[session.role]}
        </span>
        <button type="button" className="icon-button" onClick={() => signOut()} aria-label="Sign out" title="Sign out">
          <Icon name="out" />
        </button>
      </div>
    </header>
  );
}

function Breadcrumbs({ tenantId }: { readonly tenantId: string | null }) {
  const session = useSession();
  if (tenantId === null) {
    return (
      <nav className="breadcrumbs" aria-label="Breadcrumb">
        <span aria-current="page">Fleet</span>
      </nav>
    );
  }
  return (
    <nav className="breadcrumbs" aria-label="Breadcrumb">
      {session.role !== 'tenant' && (
        <>
          <Link to="/" className="crumb-root">
            Fleet
          </Link>
          <span className="crumb-root" aria-hidden="true">
            /
          </span>
        </>
      )}
      {session.role === 'tenant' ? <TenantName id={tenantId} /> : <TenantSwitcher id={tenantId} />}
    </nav>
  );
}

function TenantName({ id }: { readonly id: string }) {
  const session = useSession();
  const tenant = useQuery(tenantQuery(session.token, id));
  return (
    <bdi className="ellipsis" aria-current="page">
      {tenant.data?.name ?? id}
    </bdi>
  );
}

function TenantSwitcher({ id }: { readonly id: string }) {
  const session = useSession();
  const tenants = useQuery(tenantsQuery(session.token));
  const navigate = useNavigate();
  const { search } = useLocation();
  const known = tenants.data ?? [];
  return (
    <select
      className="tenant-switcher"
      aria-label="Tenant"
      value={id}
      onChange={(event) => navigate(`/tenants/${event.target.value}${search}`)}
    >
      {known.every((tenant) => tenant.id !== id) && <option value={id}>{id}</option>}
      {known.map((tenant) => (
        <option key={tenant.id} value={tenant.id}>
          {tenant.name}
        </option>
      ))}
    </select>
  );
}

const themeIcons: Record<ThemeChoice, IconName> = { auto: 'auto', light: 'sun', dark: 'moon' };
const themeWords: Record<ThemeChoice, string> = { auto: 'as the system', light: 'light', dark: 'dark' };

/** Goes round light, dark and automatic. */
export function ThemeSwitch() {
  const choice = useThemeChoice();
  const next = themeChoices[(themeChoices.indexOf(choice) + 1) % themeChoices.length] ?? 'auto';
  const label = `Theme: ${themeWords[choice]}. Change to ${themeWords[next]}`;
  return (
    <button type="button" className="icon-button" onClick={() => setTheme(next)} aria-label={label} title={label}>
      <Icon name={themeIcons[choice]} />
    </button>
  );
}
