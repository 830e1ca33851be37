import { useSyncExternalStore } from 'react';

export type ThemeChoice = 'auto' | 'light' | 'dark';
export const themeChoices: readonly ThemeChoice[] = ['auto', 'light', 'dark'];
const storageKey = 'pulse.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function readChoice(): ThemeChoice {
  const stored = localStorage.getItem(storageKey);
  return stored === 'light' || stored === 'dark' ? stored : 'auto';
}

let choice = readChoice();

function apply() {
  if (choice === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = choice;
  for (const listener of listeners) listener();
}

dark.addEventListener('change', apply);

/** Puts the stored choice on the page; called once before the first paint. */
export function startTheme(): void {
  apply();
}

/** Chooses light, dark or what the system says, and keeps it for the next visit. */
export function setTheme(next: ThemeChoice): void {
  choice = next;
  localStorage.setItem(storageKey, next);
  apply();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What the reader chose. */
export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(subscribe, () => choice);
}

/** What is painted now: canvases must be drawn again when it changes. */
export function usePaintedTheme(): 'light' | 'dark' {
  return useSyncExternalStore(subscribe, () => (choice === 'auto' ? (dark.matches ? 'dark' : 'light') : choice));
}

/** Resolves a colour token to what a canvas takes. */
export function tokenColour(name: string, alpha = 1): string {
  const probe = document.createElement('i');
  probe.style.color =
    alpha === 1 ? `var(--${name})` : `color-mix(in oklab, var(--${name}) ${alpha * 100}%, transparent)`;
  document.body.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}
