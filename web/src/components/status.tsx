import { Icon, type IconName } from './icon.tsx';

export type Tone = 'good' | 'warning' | 'critical' | 'neutral' | 'unknown';
const icons: Record<Tone, IconName> = {
  good: 'good',
  warning: 'warning',
  critical: 'critical',
  neutral: 'info',
  unknown: 'unknown',
};

/** A state as icon and word; colour only repeats what the word says. */
export function Status({ tone, word, title }: { readonly tone: Tone; readonly word: string; readonly title?: string }) {
  return (
    <span className={`status tone-${tone}`} title={title}>
      <Icon name={icons[tone]} />
      {word}
    </span>
  );
}
