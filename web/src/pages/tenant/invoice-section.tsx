import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Invoice, InvoiceLine, Tenant } from 'streams/contract';
import { invoicesQuery } from '../../api/queries.ts';
import { useSession } from '../../api/session.tsx';
import { EmptyState, ErrorState, SkeletonRows } from '../../components/feedback.tsx';
import { Icon } from '../../components/icon.tsx';
import { ScrollBox } from '../../components/scroll-box.tsx';
import { Section } from '../../components/section.tsx';
import { formatQuantity } from '../../format/decimal.ts';
import { missing } from '../../format/locale.ts';
import { formatMoney, formatUnitPrice } from '../../format/money.ts';
import { formatInstant } from '../../format/time.ts';
import type { EvidenceTarget } from './evidence-panel.tsx';

interface InvoiceProps {
  readonly tenant: Tenant;
  readonly period: string;
  readonly onEvidence: (target: EvidenceTarget) => void;
}

/** The bill of the period, each line with its price and the way to its proof. */
export function InvoiceSection({ tenant, period, onEvidence }: InvoiceProps) {
  const { token } = useSession();
  const invoices = useQuery(invoicesQuery(token, period, tenant.id));
  return (
    <Section id="invoice" title="Invoice">
      {invoices.data === undefined ? (
        invoices.error === null ? (
          <SkeletonRows rows={6} label="Reading the invoice" />
        ) : (
          <ErrorState
            what="The invoice could not be read"
            error={invoices.error}
            onRetry={() => void invoices.refetch()}
          />
        )
      ) : invoices.data.length === 0 ? (
        <EmptyState title="No invoice for this period">
          A draft appears as soon as the period has begun and the tenant has a subscription.
        </EmptyState>
      ) : (
        invoices.data.map((invoice) => <InvoiceTable key={invoice.id} invoice={invoice} onEvidence={onEvidence} />)
      )}
    </Section>
  );
}

const stateWords: Record<Invoice['state'], string> = {
  draft: 'Draft',
  issued: 'Issued',
  paid: 'Paid',
  void: 'Void',
  held: 'Held for a person',
};

function InvoiceTable({
  invoice,
  onEvidence,
}: {
  readonly invoice: Invoice;
  readonly onEvidence: InvoiceProps['onEvidence'];
}) {
  return (
    <div className="invoice">
      <div className="invoice-head">
        <span className={`tag invoice-${invoice.state}`}>{stateWords[invoice.state]}</span>
        <span>
          {formatInstant(invoice.start, invoice.timeZone)} to {formatInstant(invoice.end, invoice.timeZone)}
        </span>
        <strong className="invoice-total" title={`${invoice.total} ${invoice.currency}`}>
          {formatMoney(invoice.total, invoice.currency)}
        </strong>
      </div>
      <ScrollBox className="table-scroll" label="Lines of the invoice">
        <table className="table invoice-table figures-table">
          <thead>
            <tr>
              <th scope="col">Item</th>
              <th scope="col" className="right">
                Quantity
              </th>
              <th scope="col" className="right">
                Unit price
              </th>
              <th scope="col" className="right">
                Amount
              </th>
              <th scope="col">
                <span className="visually-hidden">Evidence</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {invoice.lines.map((line) => (
              <LineRows key={line.id} line={line} currency={invoice.currency} onEvidence={onEvidence} />
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" colSpan={3}>
                Total{invoice.state === 'draft' ? ' so far' : ''}
              </th>
              <td className="right" title={`${invoice.total} ${invoice.currency}`}>
                {formatMoney(invoice.total, invoice.currency)}
              </td>
              <td />
            </tr>
          </tfoot>
        </table>
      </ScrollBox>
      <p className="hint">
        Rate card <code>{invoice.rateCard.id}</code> version {invoice.rateCard.version}; figures as of{' '}
        {formatInstant(invoice.asOf, invoice.timeZone)}, log position <code>{invoice.knownAt}</code>. Computing again
        from there gives the same cents.
      </p>
    </div>
  );
}

/** The one price of a line, or how many steps lead to its amount. */
function priceText(line: InvoiceLine, currency: string): string {
  if (line.unitPrice !== null) return formatUnitPrice(line.unitPrice, currency);
  return `${line.pricing.length} ${line.pricing.length === 1 ? 'tier' : 'tiers'}`;
}

function LineRows(props: {
  readonly line: InvoiceLine;
  readonly currency: string;
  readonly onEvidence: InvoiceProps['onEvidence'];
}) {
  const { line, currency } = props;
  const [open, setOpen] = useState(false);
  const detailId = `pricing-${line.id}`;
  return (
    <>
      <tr>
        <th scope="row" title={line.aggregation}>
          {line.description}
        </th>
        <td className="right" title={`${line.quantity} ${line.unit}`}>
          {formatQuantity(line.quantity)} <small>{line.unit}</small>
        </td>
        <td className="right">
          {line.pricing.length === 0 ? (
            line.unitPrice === null ? (
              missing
            ) : (
              formatUnitPrice(line.unitPrice, currency)
            )
          ) : line.unitPrice === null || line.kind === 'usage' ? (
            <button
              type="button"
              className="link-button"
              aria-expanded={open}
              aria-controls={detailId}
              onClick={() => setOpen(!open)}
            >
              {priceText(line, currency)} <Icon name={open ? 'open' : 'right'} size={12} />
            </button>
          ) : (
            formatUnitPrice(line.unitPrice, currency)
          )}
        </td>
        <td className="right" title={`${line.amount} ${currency}`}>
          {formatMoney(line.amount, currency)}
        </td>
        <td className="right">
          <button
            type="button"
            className="link-button"
            aria-label={`Evidence of ${line.description}`}
            onClick={() =>
              props.onEvidence({ title: `Evidence: ${line.description}`, link: line.evidence, quantity: line.quantity })
            }
          >
            <span className="wide-only">Evidence</span>
            <span className="narrow-only">
              <Icon name="receipt" />
            </span>
          </button>
        </td>
      </tr>
      {open &&
        line.pricing.map((tier, index) => (
          <tr key={tier.description} className="tier-row" id={index === 0 ? detailId : undefined}>
            <th scope="row">{tier.description}</th>
            <td className="right" title={tier.quantity}>
              {formatQuantity(tier.quantity)}
            </td>
            <td className="right">{formatUnitPrice(tier.unitPrice, currency)}</td>
            <td className="right" title={tier.amount}>
              {formatUnitPrice(tier.amount, currency)}
            </td>
            <td />
          </tr>
        ))}
    </>
  );
}
