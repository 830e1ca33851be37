import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createModules, selectModules } from './manager.ts';
import { defineModule, type ModuleDefinition } from './module.ts';

const logger = pino({ level: 'silent' });

function definition(name: string, requires: string[], events: string[], fail?: 'start' | 'stop'): ModuleDefinition {
  return defineModule({
    name,
    description: name,
    requires,
    config: z.object({}),
    create: () => ({
      async start() {
        events.push(`start ${name}`);
        if (fail === 'start') throw new Error('no');
      },
      ready: () => ({ ready: true }),
      async stop() {
        events.push(`stop ${name}`);
        if (fail === 'stop') throw new Error('no');
      },
    }),
  });
}

describe('modules', () => {
  test('start after what they require and stop in reverse, once, however often stop is asked for', async () => {
    const events: string[] = [];
    const all = [definition('c', ['b', 'a'], events), definition('b', ['a'], events), definition('a', [], events)];
    const set = createModules(selectModules(all, {}, 'c'), {}, { logger });
    await set.start();
    await Promise.all([set.stop(), set.stop()]);
    expect(events).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
  });

  test('that were not started are not stopped, and one that cannot stop does not keep the others from it', async () => {
    const events: string[] = [];
    const all = [
      definition('a', [], events, 'stop'),
      definition('b', ['a'], events, 'start'),
      definition('c', ['b'], events),
    ];
    const set = createModules(selectModules(all, {}, 'c'), {}, { logger });
    await expect(set.start()).rejects.toThrow('no');
    await set.stop();
    expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  });

  test('report not ready before their start and while draining', async () => {
    const set = createModules([definition('a', [], [])], {}, { logger });
    expect(set.readiness()[0]?.state).toEqual({ ready: false, reason: 'not started' });
    await set.start();
    expect(set.readiness()[0]?.state).toEqual({ ready: true });
    await set.stop();
    expect(set.readiness()[0]?.state).toEqual({ ready: false, reason: 'draining' });
  });

  test('may touch only services that something provides', () => {
    const greedy = defineModule({
      name: 'greedy',
      description: '',
      requires: [],
      config: z.object({}),
      create: (_config, services) => {
        services.store.query;
        throw new Error('not reached');
      },
    });
    expect(() => createModules([greedy], {}, { logger })).toThrow(
      'module greedy uses service store that nothing provides',
    );
  });
});

describe('targets', () => {
  const all = [definition('a', [], []), definition('b', ['a'], []), definition('c', [], [])];
  test('take aliases and names, and bring what is required', () => {
    expect(selectModules(all, { both: ['b', 'c'] }, 'both').map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    // In the order of the definitions, whatever the order of the list.
    expect(selectModules(all, {}, 'c, b').map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });
  test('that do not exist are refused with what does', () => {
    expect(() => selectModules(all, { both: ['b'] }, 'x')).toThrow('unknown target "x"; known: both, a, b, c');
  });
  test('that require themselves are a programmer error', () => {
    const circle = [definition('a', ['b'], []), definition('b', ['a'], [])];
    expect(() => selectModules(circle, {}, 'a')).toThrow('requires itself');
  });
});
