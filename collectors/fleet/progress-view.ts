import type { FleetProgress } from './run-fleet.ts';

/** Shows progress: a bar that redraws itself on a terminal, otherwise one line every tenth. */
export function createProgressView(
  output: { readonly isTTY?: boolean; write(text: string): unknown },
  log: (message: string) => void,
): (progress: FleetProgress) => void {
  let shownTenth = -1;
  let drawn = false;
  return (progress) => {
    if (progress.phase === 'live') {
      if (drawn) output.write('\r\u001b[K');
      if (shownTenth < 11) log(`demo fleet: history is complete, now live (${grouped(progress.points)} points)`);
      drawn = false;
      shownTenth = 11;
      return;
    }
    if (shownTenth === 11) return;
    if (output.isTTY === true) {
      output.write(`\r\u001b[K${describe(progress, bar(progress.fraction))}`);
      drawn = true;
      return;
    }
    const tenth = Math.floor(progress.fraction * 10);
    if (tenth > shownTenth) {
      shownTenth = tenth;
      log(describe(progress, ''));
    }
  };
}

function bar(fraction: number): string {
  const full = Math.round(Math.min(1, fraction) * 30);
  return `[${'█'.repeat(full)}${'·'.repeat(30 - full)}] `;
}

function describe(progress: FleetProgress, drawn: string): string {
  const eta = progress.etaSeconds === null ? '' : `, ${progress.etaSeconds} s left`;
  const rejected = progress.rejected === 0 ? '' : `, ${grouped(progress.rejected)} refused`;
  return `demo fleet history ${drawn}${Math.floor(progress.fraction * 100)} %, ${grouped(progress.pointsPerSecond)} points/s${eta}${rejected}`;
}

function grouped(value: number): string {
  return value.toLocaleString('en');
}
