import { useQuery } from '@tanstack/react-query';
import type { Tenant } from 'streams/contract';
import { usageQuery } from '../../api/queries.ts';
import { useSession } from '../../api/session.tsx';
import { EmptyState, ErrorState, SkeletonRows } from '../../components/feedback.tsx';
import { Icon } from '../../components/icon.tsx';
import { ScrollBox } from '../../components/scroll-box.tsx';
import { Section } from '../../components/section.tsx';
import { formatQuantity } from '../../format/decimal.ts';
import { formatCount } from '../../format/figure.ts';
import { formatInstant } from '../../format/time.ts';
import type { EvidenceTarget } from './evidence-panel.tsx';

interface UsageProps {
  readonly tenant: Tenant;
  readonly period: string;
  readonly onEvidence: (target: EvidenceTarget) => void;
}

const meterNames: Readonly<Record<string, string>> = {
  active_customers: 'Active customers',
  api_calls: 'API calls',
  storage_gb: 'Storage',
  payments: 'Payment transactions',
  ai_calls: 'AI calls',
  bandwidth_p95: 'Bandwidth, 95th percentile',
  network_bytes: 'Network traffic',
  plugin_calls: 'Plugin calls',
};

/** What was counted in the period, a row a meter. */
export function UsageSection({ tenant, period, onEvidence }: UsageProps) {
  const { token } = useSession();
  const usage = useQuery(usageQuery(token, tenant.id, period));
  const note =
    usage.data === undefined ? undefined : `counted up to ${formatInstant(usage.data.asOf, tenant.timeZone)}`;
  return (
    <Section id="usage" title="Usage" note={note}>
      {usage.data === undefined ? (
        usage.error === null ? (
          <SkeletonRows rows={5} label="Reading usage" />
        ) : (
          <ErrorState what="Usage could not be read" error={usage.error} onRetry={() => void usage.refetch()} />
        )
      ) : usage.data.meters.length === 0 ? (
        <EmptyState title="Nothing was counted in this period">
          Usage appears when the instance sends usage events or metrics such as <code>dotmac.customers.active</code>.
        </EmptyState>
      ) : (
        <ScrollBox className="table-scroll" label="Usage by meter">
          <table className="table figures-table">
            <thead>
              <tr>
                <th scope="col">Meter</th>
                <th scope="col" className="right">
                  Quantity
                </th>
                <th scope="col">Unit</th>
                <th scope="col" className="wide-only">
                  How it is counted
                </th>
                <th scope="col" className="right">
                  Events
                </th>
                <th scope="col">
                  <span className="visually-hidden">Evidence</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {usage.data.meters.map((meter) => (
                <tr key={meter.meter}>
                  <th scope="row" title={meter.meter}>
                    {meterNames[meter.meter] ?? meter.meter}
                  </th>
                  <td className="right" title={meter.quantity}>
                    {formatQuantity(meter.quantity)}
                  </td>
                  <td className="nowrap">{meter.unit}</td>
                  <td className="soft wide-only">{meter.aggregation}</td>
                  <td className="right" title={String(meter.events)}>
                    {formatCount(meter.events)}
                  </td>
                  <td className="right">
                    <button
                      type="button"
                      className="link-button"
                      onClick={() =>
                        onEvidence({
                          title: `Evidence: ${meterNames[meter.meter] ?? meter.meter}`,
                          link: meter.evidence,
                          quantity: meter.quantity,
                        })
                      }
                      aria-label={`Evidence of ${meter.meter}`}
                    >
                      <span className="wide-only">Evidence</span>
                      <span className="narrow-only">
                        <Icon name="receipt" />
                      </span>
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      )}
    </Section>
  );
}
