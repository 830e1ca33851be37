import type { Logger } from 'pino';
import type { z } from 'zod';
import { AppError, invariant } from '../contract/index.ts';
import type { ModuleDefinition, Readiness, RunningModule, Services } from './module.ts';
import { createWorkGate } from './work-gate.ts';

/** Aliases of `--target`: names of modules; what they require comes along. */
export type Targets = Readonly<Record<string, readonly string[]>>;

/**
 * The modules that a target list needs, each after the modules it requires, otherwise in the order of the definitions: the order of the list means nothing.
 *
 * *Errors* `config.invalid` for a target that is neither an alias nor a module; an unknown or circular requirement is a programmer error.
 */
export function selectModules(
  definitions: readonly ModuleDefinition[],
  targets: Targets,
  target: string,
): ModuleDefinition[] {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  const sorted: ModuleDefinition[] = [];
  const visiting = new Set<string>();
  const visit = (name: string, from: string) => {
    const definition = byName.get(name);
    invariant(definition, `module ${from} requires ${name}, which does not exist`);
    if (sorted.includes(definition)) return;
    invariant(!visiting.has(name), `module ${name} requires itself through ${from}`);
    visiting.add(name);
    for (const required of definition.requires) visit(required, name);
    sorted.push(definition);
  };
  const wanted = new Set<string>();
  for (const part of target.split(',').map((one) => one.trim())) {
    const names = targets[part] ?? (byName.has(part) ? [part] : undefined);
    if (names === undefined) {
      const known = [...new Set([...Object.keys(targets), ...byName.keys()])].join(', ');
      throw new AppError('config.invalid', `unknown target "${part}"; known: ${known}`, { field: 'server.target' });
    }
    for (const name of names) wanted.add(name);
  }
  for (const { name } of definitions) if (wanted.has(name)) visit(name, 'the target');
  return sorted;
}

/** The schema of each section of the configuration, by the section's name. */
export function configSchemas(definitions: readonly ModuleDefinition[]): Record<string, z.ZodType> {
  return Object.fromEntries(definitions.map(({ name, section = name, config }) => [section, config]));
}

export interface ModuleState {
  readonly name: string;
  readonly state: Readiness;
}

/** The created modules of this process: starts them in order, reports readiness, stops them in reverse once. */
export interface ModuleSet {
  start(): Promise<void>;
  stop(): Promise<void>;
  readiness(): readonly ModuleState[];
}

/**
 * Creates every module (no I/O) and hands each what earlier ones provide.
 *
 * *Errors* touching a service that no created module provides throws, naming the service and the module.
 */
export function createModules(
  definitions: readonly ModuleDefinition[],
  configs: Readonly<Record<string, unknown>>,
  base: Partial<Services> & { readonly logger: Logger },
): ModuleSet {
  const maintenance = { gate: createWorkGate(), rebuilders: [], consumerInto: null };
  const provided: Partial<Services> = { maintenance, ...base };
  const running: { name: string; module: RunningModule; started: boolean }[] = [];
  for (const definition of definitions) {
    const services = serviceView(provided, definition.name);
    const module = definition.create(configs[definition.section ?? definition.name], services);
    Object.assign(provided, module.provides ?? {});
    running.push({ name: definition.name, module, started: false });
  }
  let stopping: Promise<void> | undefined;
  let shuttingDown = false;
  return {
    async start() {
      for (const entry of running) {
        if (shuttingDown) return;
        entry.started = true;
        await entry.module.start();
        base.logger.debug({ module: entry.name }, 'module started');
      }
    },
    stop() {
      shuttingDown = true;
      stopping ??= stopInReverse(running, base.logger);
      return stopping;
    },
    readiness: () =>
      running.map(({ name, module, started }) => ({
        name,
        state: shuttingDown
          ? { ready: false, reason: 'draining' }
          : started
            ? module.ready()
            : { ready: false, reason: 'not started' },
      })),
  };
}

async function stopInReverse(
  running: readonly { name: string; module: RunningModule; started: boolean }[],
  logger: Logger,
) {
  for (const entry of running.toReversed()) {
    if (!entry.started) continue;
    try {
      await entry.module.stop();
    } catch (error) {
      // One module that cannot stop must not keep the others from flushing.
      logger.error({ module: entry.name, err: error }, 'module did not stop cleanly');
    }
  }
}

function serviceView(provided: Partial<Services>, module: string): Services {
  return new Proxy(provided, {
    get(target, key) {
      const value = target[key as keyof Services];
      invariant(
        value !== undefined || typeof key === 'symbol',
        `module ${module} uses service ${String(key)} that nothing provides`,
      );
      return value;
    },
  }) as Services;
}
