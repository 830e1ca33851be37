import { useQuery } from '@tanstack/react-query';
import type { Tenant } from 'streams/contract';
import { logsQuery } from '../../api/queries.ts';
import type { LogLine } from '../../api/schemas.ts';
import { useSession } from '../../api/session.tsx';
import { EmptyState, ErrorState, SkeletonRows } from '../../components/feedback.tsx';
import { ScrollBox } from '../../components/scroll-box.tsx';
import { Section } from '../../components/section.tsx';
import { Status, type Tone } from '../../components/status.tsx';
import { missing } from '../../format/locale.ts';
import { formatClock, formatInstant } from '../../format/time.ts';
import { useTimeRange } from '../../frame/range-picker.tsx';

function toneOf(severity: string): Tone {
  const upper = severity.toUpperCase();
  if (upper.startsWith('ERROR') || upper.startsWith('FATAL')) return 'critical';
  if (upper.startsWith('WARN')) return 'warning';
  return upper === '' ? 'unknown' : 'neutral';
}

/** The newest log records of the chosen time. */
export function LogsSection({ tenant }: { readonly tenant: Tenant }) {
  const { token } = useSession();
  const { range } = useTimeRange();
  const logs = useQuery(logsQuery(token, tenant.id, range));
  return (
    <Section id="logs" title="Logs" note="newest 50 of the chosen time">
      {logs.data === undefined ? (
        logs.error === null ? (
          <SkeletonRows rows={5} label="Reading logs" />
        ) : (
          <ErrorState what="Logs could not be read" error={logs.error} onRetry={() => void logs.refetch()} />
        )
      ) : logs.data.items.length === 0 ? (
        <EmptyState title="No log record in this time">Choose a longer range, or send logs by OTLP.</EmptyState>
      ) : (
        <ScrollBox className="logs" label="Log records">
          <ol>
            {logs.data.items.map((line, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two records may be equal in every field
              <LogItem key={index} line={line} timeZone={tenant.timeZone} />
            ))}
          </ol>
        </ScrollBox>
      )}
    </Section>
  );
}

function LogItem({ line, timeZone }: { readonly line: LogLine; readonly timeZone: string }) {
  const at = Date.parse(line.time);
  const known = Number.isFinite(at);
  return (
    <li>
      <time title={known ? formatInstant(at, timeZone) : 'no time in the record'}>
        {known ? formatClock(at, Date.now(), timeZone) : missing}
      </time>
      <Status
        tone={toneOf(line.severityText)}
        word={line.severityText === '' ? 'unset' : line.severityText.toLowerCase()}
      />
      <span className="log-body">{line.body}</span>
    </li>
  );
}
