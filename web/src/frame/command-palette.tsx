import { useQuery } from '@tanstack/react-query';
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import { tenantsQuery } from '../api/queries.ts';
import { type Session, useSession } from '../api/session.tsx';
import { Icon, type IconName } from '../components/icon.tsx';
import { tenantSections } from './navigation.ts';

interface Command {
  readonly id: string;
  readonly label: string;
  readonly hint: string;
  readonly icon: IconName;
  readonly to: string;
}

const shownMax = 12;

function useCommands(session: Session, currentTenant: string | null): Command[] {
  const tenants = useQuery({ ...tenantsQuery(session.token), enabled: session.role !== 'tenant' });
  return useMemo(() => {
    const own = session.role === 'tenant' ? session.tenantId : currentTenant;
    const pages: Command[] =
      session.role === 'tenant' ? [] : [{ id: 'fleet', label: 'Fleet overview', hint: 'page', icon: 'fleet', to: '/' }];
    const sections: Command[] =
      own === null
        ? []
        : tenantSections.map((section) => ({
            id: `section-${section.id}`,
            label: section.label,
            hint: own,
            icon: section.icon,
            to: `/tenants/${own}#${section.id}`,
          }));
    const others: Command[] = (tenants.data ?? []).map((tenant) => ({
      id: `tenant-${tenant.id}`,
      label: tenant.name,
      hint: tenant.id,
      icon: 'right',
      to: `/tenants/${tenant.id}`,
    }));
    return [...pages, ...sections, ...others];
  }, [session, currentTenant, tenants.data]);
}

/** Goes to any tenant or page by typing a part of its name; open with Ctrl-K or ⌘K. */
export function CommandPalette(props: { readonly currentTenant: string | null; readonly onClose: () => void }) {
  const session = useSession();
  const commands = useCommands(session, props.currentTenant);
  const navigate = useNavigate();
  const dialog = useRef<HTMLDialogElement>(null);
  const listId = useId();
  const [text, setText] = useState('');
  const [active, setActive] = useState(0);
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);

  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = commands.filter((command) =>
    words.every((word) => `${command.label} ${command.hint}`.toLowerCase().includes(word)),
  );
  const shown = found.slice(0, shownMax);
  const run = (command: Command | undefined) => {
    if (command === undefined) return;
    props.onClose();
    navigate(command.to);
  };

  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label="Go to"
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <div className="palette-input">
        <Icon name="search" />
        <input
          role="combobox"
          aria-label="Go to a tenant or page"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={shown[active] === undefined ? undefined : `${listId}-${active}`}
          placeholder="Go to a tenant or page"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setActive(0);
          }}
          onKeyDown={(event) => {
            if (event.key === 'ArrowDown') setActive((index) => Math.min(shown.length - 1, index + 1));
            else if (event.key === 'ArrowUp') setActive((index) => Math.max(0, index - 1));
            else if (event.key === 'Enter') run(shown[active]);
            else return;
            event.preventDefault();
          }}
        />
        <button type="button" className="icon-button" onClick={props.onClose} aria-label="Close">
          <Icon name="close" />
        </button>
      </div>
      <div id={listId} role="listbox" aria-label="Places" className="palette-list">
        {shown.map((command, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the text field above handles the keys of the list
          <div
            key={command.id}
            id={`${listId}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === active}
            className="palette-item"
            onClick={() => run(command)}
          >
            <Icon name={command.icon} />
            <bdi className="ellipsis">{command.label}</bdi>
            <span className="palette-hint">{command.hint}</span>
          </div>
        ))}
      </div>
      <p className="palette-foot" aria-live="polite">
        {found.length === 0
          ? `No tenant or page matches “${text}”.`
          : found.length > shownMax
            ? `${found.length} matches; type more to narrow them.`
            : '↑ ↓ to choose, Enter to go, Escape to close'}
      </p>
    </dialog>
  );
}
