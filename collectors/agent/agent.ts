import { type Pulse, startPulse } from '@dotmac/pulse-sdk';
import { type KubeletConfig, startKubelet } from './kubelet/index.ts';
import { folderBytes, type MachineReading, readFileSystem, readMachine, usedMemory } from './linux-machine.ts';
import { PointBuffer } from './point-buffer.ts';
import { type ProbeResult, type ProbeTarget, parseTargets, runProbe } from './probe.ts';
import { type SnmpConfig, startPolling } from './snmp/index.ts';

export interface AgentOptions {
  /** Base address of Pulse's OTLP/HTTP port. */
  readonly endpoint: string;
  readonly apiKey: string;
  readonly tenantId: string;
  readonly targets: readonly unknown[];
  /** *Units* milliseconds between two measurements, 1,000 at least. */
  readonly intervalMs: number;
  /** Folder whose bytes are `dotmac.storage.usage`; none is reported without it. */
  readonly dataDir?: string;
  /** Network devices to ask by SNMP. */
  readonly snmp?: SnmpConfig;
  /** The kubelet to ask for the figures of containers. */
  readonly kubelet?: KubeletConfig;
  /** Folder for what is kept across restarts of the agent. */
  readonly stateDir?: string;
  /** Told of a measurement that failed as a whole, and of probes whose status changed. */
  readonly onEvent?: (event: { readonly level: 'info' | 'warn'; readonly message: string }) => void;
}

export interface Agent {
  /** Measures and sends at once. *Errors* rejects when Pulse cannot be reached. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** The folder is walked at most this often: a store keeps thousands of files. */
const FOLDER_EVERY_MS = 60_000;

/**
 * Measures this machine (its cgroup where it runs in one) and probes the targets every `intervalMs`, and sends it as this tenant's metrics.
 *
 * *Errors* `agent.target_invalid`; `sdk.option_invalid` of the SDK.
 */
export function createAgent(options: AgentOptions): Agent {
  const targets = parseTargets(options.targets);
  const buffer = new PointBuffer();
  const pulse = startPulse({
    points: () => buffer.take(),
    endpoint: options.endpoint,
    apiKey: options.apiKey,
    tenantId: options.tenantId,
    serviceName: 'pulse-agent',
    metricIntervalMs: options.intervalMs,
    // the server this runs in has its own OpenTelemetry set-up
    global: false,
  });
  const observe = createObserver(pulse, options, targets);
  observe.register();
  const readers = startReaders(pulse, options, buffer);
  return {
    flush: () => pulse.forceFlush(),
    stop: async () => {
      await Promise.all(readers.map((reader) => reader.stop()));
      await pulse.shutdown();
    },
  };
}

/** What is read elsewhere than on this machine runs on its own clock, and its points wait for the next export. */
function startReaders(pulse: Pulse, options: AgentOptions, buffer: PointBuffer): { stop(): Promise<void> }[] {
  let toldOfDropped = 0;
  const onEvent = options.onEvent ?? (() => undefined);
  const addPoints = (points: Parameters<PointBuffer['add']>[0]) => {
    buffer.add(points);
    if (buffer.dropped === toldOfDropped) return;
    toldOfDropped = buffer.dropped;
    onEvent({ level: 'warn', message: `${toldOfDropped} points in all given up: nobody took them` });
  };
  const readers: { stop(): Promise<void> }[] = [];
  if (options.snmp !== undefined && options.snmp.devices.length > 0) {
    const logger = pulse.logger('dotmac.agent', '1');
    readers.push(startPolling(options.snmp, { logger, addPoints, onEvent, stateDir: options.stateDir }));
  }
  if (options.kubelet !== undefined) readers.push(startKubelet(options.kubelet, { addPoints, onEvent }));
  return readers;
}

function createObserver(pulse: Pulse, options: AgentOptions, targets: readonly ProbeTarget[]) {
  const instruments = createInstruments(pulse);
  const statuses = new Map<string, string>();
  const folder = cachedFolder(options.dataDir);
  let previous: { seconds: number; at: number } | undefined;

  /** Cores in use since the last reading; the first one has nothing to compare with. */
  const coresInUse = (reading: MachineReading): number | undefined => {
    const at = performance.now() / 1000;
    const seconds = reading.containerCpuSeconds;
    const last = previous;
    previous = seconds === undefined ? undefined : { seconds, at };
    if (last === undefined || seconds === undefined || seconds < last.seconds || at - last.at < 0.05) return undefined;
    return (seconds - last.seconds) / (at - last.at);
  };
  const noteChange = (result: ProbeResult) => {
    const { component } = result.target;
    const before = statuses.get(component);
    statuses.set(component, result.status);
    if (before === result.status || (before === undefined && result.status === 'up')) return;
    options.onEvent?.({
      level: result.status === 'up' ? 'info' : 'warn',
      message: `${component} is ${result.status}: ${result.detail}`,
    });
  };
  return {
    register() {
      // a first reading, so that the first export has a CPU figure
      void readMachine().then(coresInUse);
      pulse.meter('dotmac.agent', '1').addBatchObservableCallback(async (result) => {
        const [reading, disk, bytes, probes] = await Promise.all([
          readMachine(),
          options.dataDir === undefined ? undefined : readFileSystem(options.dataDir).catch(() => undefined),
          folder(),
          Promise.all(targets.map(runProbe)),
        ]);
        const seen = (
          instrument: (typeof instruments)[keyof typeof instruments],
          value: number | undefined,
          attributes = {},
        ) => {
          if (value !== undefined) result.observe(instrument, value, attributes);
        };
        seen(instruments.cpu, coresInUse(reading));
        seen(instruments.memory, reading.containerMemoryBytes);
        seen(instruments.memoryLimit, reading.containerMemoryLimitBytes);
        for (const [mode, seconds] of reading.cpuSeconds) seen(instruments.cpuTime, seconds, { 'cpu.mode': mode });
        seen(instruments.systemMemory, usedMemory(reading.memory), { 'system.memory.state': 'used' });
        seen(instruments.systemMemory, reading.memory.get('MemAvailable'), { 'system.memory.state': 'free' });
        for (const one of reading.containerIo) {
          seen(instruments.containerDisk, one.read, { 'system.device': one.name, 'disk.io.direction': 'read' });
          seen(instruments.containerDisk, one.written, { 'system.device': one.name, 'disk.io.direction': 'write' });
        }
        for (const one of reading.disks) {
          seen(instruments.systemDisk, one.read, { 'system.device': one.name, 'disk.io.direction': 'read' });
          seen(instruments.systemDisk, one.written, { 'system.device': one.name, 'disk.io.direction': 'write' });
        }
        for (const one of reading.interfaces) {
          const name = { 'network.interface.name': one.name };
          seen(instruments.network, one.received, { ...name, 'network.io.direction': 'receive' });
          seen(instruments.network, one.transmitted, { ...name, 'network.io.direction': 'transmit' });
        }
        seen(instruments.fileSystem, disk?.used, { 'system.filesystem.state': 'used' });
        seen(instruments.fileSystem, disk?.free, { 'system.filesystem.state': 'free' });
        seen(instruments.storage, bytes);
        for (const probe of probes) {
          noteChange(probe);
          const { component, faultDomain } = probe.target;
          const attributes = { component, status: probe.status, 'dotmac.fault.domain': faultDomain };
          seen(instruments.health, probe.status === 'down' ? 0 : 1, attributes);
          seen(instruments.probe, probe.seconds, { component });
        }
      }, Object.values(instruments));
    },
  };
}

function createInstruments(pulse: Pulse) {
  const meter = pulse.meter('dotmac.agent', '1');
  return {
    cpu: meter.createObservableGauge('container.cpu.usage', { unit: '{cpu}' }),
    memory: meter.createObservableGauge('container.memory.usage', { unit: 'By' }),
    memoryLimit: meter.createObservableGauge('container.memory.limit', { unit: 'By' }),
    containerDisk: meter.createObservableCounter('container.disk.io', { unit: 'By' }),
    cpuTime: meter.createObservableCounter('system.cpu.time', { unit: 's' }),
    systemMemory: meter.createObservableGauge('system.memory.usage', { unit: 'By' }),
    systemDisk: meter.createObservableCounter('system.disk.io', { unit: 'By' }),
    fileSystem: meter.createObservableGauge('system.filesystem.usage', { unit: 'By' }),
    network: meter.createObservableCounter('dotmac.network.interface.io', { unit: 'By' }),
    storage: meter.createObservableGauge('dotmac.storage.usage', { unit: 'By' }),
    health: meter.createObservableGauge('dotmac.health.status', { unit: '1' }),
    probe: meter.createObservableGauge('dotmac.probe.duration', { unit: 's' }),
  };
}

function cachedFolder(folder: string | undefined): () => Promise<number | undefined> {
  let kept: { bytes: number; at: number } | undefined;
  return async () => {
    if (folder === undefined) return undefined;
    if (kept === undefined || performance.now() - kept.at >= FOLDER_EVERY_MS) {
      kept = { bytes: await folderBytes(folder), at: performance.now() };
    }
    return kept.bytes;
  };
}
