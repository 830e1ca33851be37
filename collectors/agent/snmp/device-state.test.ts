import { expect, it } from 'vitest';
import { type DeviceState, takeReading } from './device-state.ts';
import type { DeviceReading, InterfaceReading } from './if-mib.ts';

const T = Date.parse('2026-11-21T10:00:00Z');
const port = (
  name: string,
  receive: bigint,
  more: Partial<InterfaceReading> & { bits?: 32 | 64 } = {},
): InterfaceReading => ({
  name,
  index: '1',
  alias: '',
  operStatus: 'up',
  adminUp: true,
  bitsPerSecond: 1_000_000_000,
  discontinuity: 0,
  octets: { receive: { raw: receive, bits: more.bits ?? 64 } },
  errors: {},
  discards: {},
  ...more,
});

/** A device at seconds after T. */
function run(...readings: readonly { at: number; up?: number; ports: readonly InterfaceReading[] }[]) {
  let state: DeviceState | undefined;
  const seen: { value: number; start: number; name: string | undefined }[][] = [];
  const events: string[] = [];
  for (const { at, up, ports } of readings) {
    const reading: DeviceReading = { atMs: T + at * 1000, upTimeTicks: (up ?? 1000 + at) * 100, interfaces: ports };
    const taken = takeReading('core-1', state, reading);
    state = taken.state;
    events.push(...taken.events.map((event) => `${event.interfaceName} ${event.change}`));
    seen.push(
      taken.points
        .filter((point) => point.metric.name === 'dotmac.network.interface.io')
        .map((point) => ({
          value: point.value,
          start: (point.startMs - T) / 1000,
          name: point.attributes['network.interface.name'],
        })),
    );
  }
  return { seen, events };
}

it('an unknown beginning counts from zero, then exactly what was added, beyond 2⁵³ too', () => {
  const big = 2n ** 63n;
  const { seen } = run(
    { at: 0, ports: [port('ge-0', big)] },
    { at: 30, ports: [port('ge-0', big + 1_234_567n)] },
    { at: 60, ports: [port('ge-0', big + 1_234_568n)] },
  );
  expect(seen.map((one) => one[0])).toEqual([
    { value: 0, start: 0, name: 'ge-0' },
    { value: 1_234_567, start: 0, name: 'ge-0' },
    { value: 1_234_568, start: 0, name: 'ge-0' },
  ]);
});

it('an interface whose ifIndex moves is still the same interface, and two that swap theirs are not mixed', () => {
  const { seen, events } = run(
    { at: 0, ports: [port('ge-0', 100n, { index: '1' }), port('ge-1', 5_000_000n, { index: '2' })] },
    { at: 30, ports: [port('ge-1', 5_000_007n, { index: '1' }), port('ge-0', 103n, { index: '2' })] },
  );
  expect(seen[1]).toEqual([
    { value: 7, start: 0, name: 'ge-1' },
    { value: 3, start: 0, name: 'ge-0' },
  ]);
  expect(events).toEqual([]);
});

it('a 32-bit wrap is carried, a fall that the line cannot explain begins anew', () => {
  const wide = { bits: 32 as const };
  const { seen, events } = run(
    { at: 0, ports: [port('ge-0', 2n ** 32n - 10n, wide)] },
    { at: 30, ports: [port('ge-0', 20n, wide)] },
    { at: 60, ports: [port('ge-0', 19n, { ...wide, bitsPerSecond: 1_000_000 })] },
  );
  expect(seen.map((one) => one[0]?.value)).toEqual([0, 30, 0]);
  expect(seen[2]?.[0]?.start).toBe(60);
  expect(events).toEqual(['ge-0 wrapped', 'ge-0 reset']);
});

it('a restart gives a new start time: what came since the boot, or the certain difference where counters went on', () => {
  const { seen, events } = run(
    { at: 0, up: 9_000, ports: [port('rebooted', 1_000_000n), port('daemon', 500n)] },
    { at: 30, up: 10, ports: [port('rebooted', 400n), port('daemon', 800n)] },
    { at: 60, up: 40, ports: [port('rebooted', 450n), port('daemon', 801n)] },
  );
  expect(seen[1]).toEqual([
    { value: 400, start: 20, name: 'rebooted' },
    { value: 300, start: 20, name: 'daemon' },
  ]);
  expect(seen[2]?.map((one) => one.value)).toEqual([450, 301]);
  expect(events).toEqual(['rebooted restarted', 'daemon restarted']);
});

it('a counter discontinuity without a restart bills nothing of the jump', () => {
  const { seen, events } = run(
    { at: 0, ports: [port('ppp0', 100n)] },
    { at: 30, ports: [port('ppp0', 9_000_000n, { discontinuity: 77 })] },
    { at: 60, ports: [port('ppp0', 9_000_005n, { discontinuity: 77 })] },
  );
  expect(seen.map((one) => one[0])).toEqual([
    { value: 0, start: 0, name: 'ppp0' },
    { value: 0, start: 30, name: 'ppp0' },
    { value: 5, start: 30, name: 'ppp0' },
  ]);
  expect(events).toEqual(['ppp0 reset']);
});

it('an interface missing through a restart is not taken for one that went on', () => {
  const { events, seen } = run(
    { at: 0, up: 9_000, ports: [port('ge-0', 1_000n)] },
    { at: 30, up: 5, ports: [] },
    { at: 60, up: 35, ports: [port('ge-0', 1_500n)] },
  );
  expect(events).toEqual(['ge-0 restarted']);
  expect(seen[2]).toEqual([{ value: 500, start: 25, name: 'ge-0' }]);
});

it('one gone for more than a day begins anew', () => {
  const { seen } = run(
    { at: 0, ports: [port('ge-0', 1_000n)] },
    { at: 90_000, ports: [] },
    { at: 90_030, ports: [port('ge-0', 2_000n)] },
  );
  expect(seen[2]).toEqual([{ value: 0, start: 90_030, name: 'ge-0' }]);
});

it('status, speed and alias: the alias stands on the status only', () => {
  const { points } = takeReading('core-1', undefined, {
    atMs: T,
    upTimeTicks: 12_345,
    interfaces: [port('ge-0', 1n, { alias: 'to Dublin', operStatus: 'down', adminUp: false })],
  });
  const shown = points.map(({ metric, value, attributes }) => [metric.name, value, attributes] as const);
  const device = { 'dotmac.device': 'core-1' };
  const name = { ...device, 'network.interface.name': 'ge-0' };
  expect(shown).toEqual([
    ['dotmac.network.device.up', 1, device],
    ['dotmac.network.device.uptime', 123, device],
    ['dotmac.network.interface.io', 0, { ...name, 'network.io.direction': 'receive' }],
    ['dotmac.network.interface.speed', 1_000_000_000, name],
    ['dotmac.network.interface.up', 0, { ...name, state: 'down', 'admin.state': 'down', alias: 'to Dublin' }],
  ]);
});
