import { call, type PulseProcess, until } from '../pulse-process.ts';

interface Handovers {
  readonly balanced: boolean;
  readonly handovers: readonly { readonly state: string }[];
}

/** Waits until everything on the log is stored and rolled up and every hand-over balances; fails when that does not come about. */
export async function settled(pulse: PulseProcess, seconds = 60): Promise<void> {
  const lag = async () => {
    const text = await (await fetch(`${pulse.http}/metrics`)).text();
    const lags = [...text.matchAll(/^pulse_log_consumer_lag_records\{[^}]*group="store"[^}]*\} (\S+)$/gm)];
    return lags.length === 0 ? Number.NaN : lags.reduce((total, [, records]) => total + Number(records), 0);
  };
  await until(lag, (records) => records === 0, seconds);
  const month = new Date().toISOString().slice(0, 7);
  // What a check sends may lie in the month before.
  for (const period of [month, monthBefore(month)])
    await until(
      () => call<Handovers>(pulse, `/api/v1/billing/reconciliation?period=${period}`),
      ({ status, body }) => status === 200 && body.handovers.every(({ state }) => state === 'balanced'),
      seconds,
    );
}

const monthBefore = (month: string) =>
  new Date(Date.parse(`${month}-01T00:00:00Z`) - 86_400_000).toISOString().slice(0, 7);
