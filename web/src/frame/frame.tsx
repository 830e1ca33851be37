import { type ReactNode, useEffect, useState } from 'react';
import { Link, useLocation, useParams } from 'react-router';
import { useSession } from '../api/session.tsx';
import { Icon, Mark } from '../components/icon.tsx';
import { CommandPalette } from './command-palette.tsx';
import { tenantSections } from './navigation.ts';
import { TopBar } from './top-bar.tsx';

const collapsedKey = 'pulse.rail';

/** Sections that have no room in the bar at the foot of a phone. */
const wideOnly: ReadonlySet<string> = new Set(['logs', 'usage', 'rejected']);

/** The frame that every page stands in: rail or bottom bar, top bar, one column. */
export function Frame({ children }: { readonly children: ReactNode }) {
  const [palette, setPalette] = useState(false);
  const [collapsed, setCollapsed] = useState(() => localStorage.getItem(collapsedKey) === 'collapsed');
  const { id: tenantId = null } = useParams();
  const { hash, pathname } = useLocation();

  useEffect(() => {
    const open = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setPalette((shown) => !shown);
    };
    addEventListener('keydown', open);
    return () => removeEventListener('keydown', open);
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new page starts at its top
  useEffect(() => {
    if (hash === '') {
      scrollTo(0, 0);
      return;
    }
    const section = document.getElementById(hash.slice(1));
    section?.scrollIntoView();
    section?.focus({ preventScroll: true });
  }, [pathname, hash]);

  const toggleRail = () => {
    localStorage.setItem(collapsedKey, collapsed ? 'open' : 'collapsed');
    setCollapsed(!collapsed);
  };

  return (
    <div className={collapsed ? 'frame rail-collapsed' : 'frame'}>
      <a className="skip-link" href="#content">
        Skip to content
      </a>
      <Rail tenantId={tenantId} collapsed={collapsed} onToggle={toggleRail} />
      <div className="frame-main">
        <TopBar tenantId={tenantId} onPalette={() => setPalette(true)} />
        <main id="content" tabIndex={-1}>
          {children}
        </main>
      </div>
      {palette && <CommandPalette currentTenant={tenantId} onClose={() => setPalette(false)} />}
    </div>
  );
}

function Rail(props: { readonly tenantId: string | null; readonly collapsed: boolean; readonly onToggle: () => void }) {
  const session = useSession();
  const { search, hash, pathname } = useLocation();
  const mayFleet = session.role !== 'tenant';
  return (
    <nav className="rail" aria-label="Main">
      <Link className="rail-brand" to={mayFleet ? '/' : pathname} aria-label="DotMac Pulse, start page">
        <Mark />
        <span className="rail-word">Pulse</span>
      </Link>
      <ul>
        {mayFleet && (
          <li>
            <Link
              className="rail-link"
              to="/"
              aria-current={pathname === '/' ? 'page' : undefined}
              title={props.collapsed ? 'Fleet' : undefined}
            >
              <Icon name="fleet" />
              <span className="rail-word">Fleet</span>
              <span className="rail-short">Fleet</span>
            </Link>
          </li>
        )}
        {props.tenantId !== null && mayFleet && <li className="rail-group rail-word">This tenant</li>}
        {props.tenantId !== null &&
          tenantSections.map((section) => (
            <li key={section.id} className={wideOnly.has(section.id) ? 'wide-only' : undefined}>
              <Link
                className="rail-link"
                to={{ pathname, search, hash: section.id }}
                aria-current={hash === `#${section.id}` ? 'location' : undefined}
                title={props.collapsed ? section.label : undefined}
              >
                <Icon name={section.icon} />
                <span className="rail-word">{section.label}</span>
                <span className="rail-short">{section.short}</span>
              </Link>
            </li>
          ))}
      </ul>
      <button
        type="button"
        className="rail-toggle icon-button"
        onClick={props.onToggle}
        aria-expanded={!props.collapsed}
        aria-label={props.collapsed ? 'Widen the rail' : 'Collapse the rail'}
        title={props.collapsed ? 'Widen the rail' : 'Collapse the rail'}
      >
        <Icon name={props.collapsed ? 'expand' : 'collapse'} />
      </button>
    </nav>
  );
}
