import { type Handover, type HandoverTotal, LedgerSelfTest, type LineCheck, Reconciliation } from 'streams/contract';
import type { ApiClient } from './api-client.ts';
import type { CommandResult } from './commands.ts';
import { renderTable } from './table.ts';

/** Hours that differ are listed up to this number; more say nothing new. */
const listed = 1000;
const printed = 50;
const figure = (value: number) => value.toLocaleString('en-US');

const totalsTable = (totals: readonly HandoverTotal[]) =>
  renderTable(
    [
      { title: 'tenant', value: (row) => row.tenant },
      { title: 'signal', value: (row) => row.signal },
      { title: 'hand-over', value: (row) => `${row.from} → ${row.to}` },
      { title: 'hours', right: true, value: (row) => figure(row.hours) },
      { title: 'from', right: true, value: (row) => figure(row.counts.from) },
      { title: 'to', right: true, value: (row) => figure(row.counts.to) },
      { title: 'duplicates', right: true, value: (row) => figure(row.counts.duplicates) },
      { title: 'pending', right: true, value: (row) => figure(row.pending) },
      {
        title: 'state',
        value: (row) =>
          row.mismatched > 0 ? `MISMATCH in ${row.mismatched} h` : row.pending > 0 ? 'pending' : 'balanced',
      },
    ],
    totals,
  );

function describe({ tenant, signal, hour, from, to, counts, sums, seconds }: Handover): string {
  const sum = sums === null || sums.from === sums.to ? '' : `, sum ${sums.from} → ${sums.to}`;
  const held = seconds === undefined || seconds.from === seconds.to ? '' : `, seconds ${seconds.from} → ${seconds.to}`;
  return `MISMATCH ${tenant} ${signal} ${hour}: ${from} ${counts.from} → ${to} ${counts.to}, duplicates ${counts.duplicates}${sum}${held}`;
}

const describeLine = ({ tenant, invoice, line, quantity, expected }: LineCheck) =>
  `MISMATCH ${tenant} ${invoice} line ${line}: ${quantity}, its hours make ${expected}`;

/** `pulse reconcile`: one row a tenant and hand-over, every hour that differs, and what could not be judged yet. Ends with 1 when anything differs. */
export async function reconcile(api: ApiClient, filter: { period?: string; tenant?: string }): Promise<CommandResult> {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const parameters = new URLSearchParams([...given, ['state', 'mismatch'], ['limit', String(listed)]]);
  const result = await api.get(`/api/v1/billing/reconciliation?${parameters}`, Reconciliation);
  const wrongLines = (result.lines ?? []).filter(({ state }) => state === 'mismatch');
  const differing = result.totals.reduce((sum, { mismatched }) => sum + mismatched, 0);
  const pending = result.totals.reduce((sum, total) => sum + total.pending, 0);
  const isNamed = result.handovers.slice(0, printed);
  const text = [
    totalsTable(result.totals),
    '',
    ...isNamed.map(describe),
    ...(differing > isNamed.length ? [`… and ${differing - isNamed.length} more; --json shows more`] : []),
    ...wrongLines.map(describeLine),
    ...(pending > 0 ? [`${figure(pending)} hand-over(s) are pending: not due yet, or still being taken`] : []),
    ...(result.lines === null ? ['invoice lines were not checked for so many tenants; --tenant checks them'] : []),
    result.balanced
      ? 'balanced'
      : `NOT BALANCED: ${differing} hand-over(s)${wrongLines.length > 0 ? ` and ${wrongLines.length} invoice line(s)` : ''} differ`,
  ].join('\n');
  return { json: result, text, exitCode: result.balanced ? 0 : 1 };
}

/** `pulse reconcile --self-test`: does the ledger notice a dropped, a doubled and an unreadable record at every hand-over? On a shadow copy. */
export async function reconcileSelfTest(api: ApiClient): Promise<CommandResult> {
  const result = await api.post('/api/v1/billing/reconciliation/self-test', undefined, LedgerSelfTest);
  const text = renderTable(
    [
      { title: 'hand-over', value: (row) => `${row.from} → ${row.to}` },
      { title: 'spoiled', value: (row) => row.spoiling },
      { title: 'expected', value: (row) => row.expected },
      { title: 'verdict', value: (row) => (row.verdict === row.expected ? row.verdict : `${row.verdict} WRONG`) },
    ],
    result.checks,
  );
  const right = result.checks.filter(({ expected, verdict }) => expected === verdict).length;
  return {
    json: result,
    text: `${text}\n\n${result.passed ? 'the ledger notices all of it' : 'THE LEDGER IS BLIND'}: ${right}/${result.checks.length}`,
    exitCode: result.passed ? 0 : 1,
  };
}
