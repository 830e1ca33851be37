import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { DCLinter } from 'dclint';
import { environmentNames, ServerConfig } from 'streams/runtime';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  readonly image: string;
  readonly user?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly stop_grace_period?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly deploy?: { readonly resources: { readonly limits: Readonly<Record<string, string>> } };
}
interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(text('docker-compose.yml'), { merge: true }) as ComposeFile;
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.includes('PULSE_IMAGE'));
/** Values of the kind that .env.example asks for where any text would not do. */
const samples: Readonly<Record<string, string>> = { PULSE_OPERATOR_TOKEN: `op_${'a'.repeat(43)}` };
/** Values of `${NAME:?…}` and `${NAME:-default}` as compose fills them in, from a .env made of the example. */
const filled = (value: string) =>
  value.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_all, name: string, kind: string, rest: string) =>
    kind === '-' ? rest : (samples[name] ?? `of-${name.toLowerCase().replaceAll('_', '-')}`),
  );
const targetOf = (service: Service) => /^--target=(\S+)$/.exec(service.command?.[0] ?? '')?.[1] ?? '';

/** Ports on which a service listens, by what its own configuration says. */
const listens: Readonly<Record<string, readonly number[]>> = {
  kafka: [9092, 9093],
  clickhouse: [8123],
  postgres: [5432],
  openbao: [Number(/address\s+= "0\.0\.0\.0:(\d+)"/.exec(text('deploy/compose/openbao/openbao.hcl'))?.[1])],
  grafana: [3000],
  'otel-collector': [4317, 4318, 13133],
  ...Object.fromEntries(
    ours.map(([name, service]) => {
      const { httpPort, otlpHttpPort, otlpGrpcPort } = ServerConfig.parse({});
      return [name, targetOf(service) === 'ingest' ? [httpPort, otlpHttpPort, otlpGrpcPort] : [httpPort]];
    }),
  ),
};

test('the file fulfils the schema of the Compose Specification', () => {
  // The schema that dclint brings; its meta-schema's name lacks the # that the validator knows it by.
  const { $schema: _meta, ...schema } = JSON.parse(text('node_modules/dclint/schemas/compose.schema.json'));
  const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  expect(validate(parse(text('docker-compose.yml'), { merge: true })), JSON.stringify(validate.errors)).toBe(true);
  expect(validate({ services: { a: { image: 'a', helthcheck: {} } } })).toBe(false);
});

test('the linter of compose files finds no error', () => {
  const style = [
    'services-alphabetical-order',
    'service-keys-order',
    'service-dependencies-alphabetical-order',
    'service-ports-alphabetical-order',
    'top-level-properties-order',
    'require-quotes-in-ports',
    'require-project-name-field',
    // It takes a variable for no interface; the addresses are tested below.
    'no-unbound-port-interfaces',
  ];
  const rules = Object.fromEntries(style.map((rule) => [rule, 0 as const]));
  const linter = new DCLinter({ rules, quiet: false, debug: false, exclude: [] });
  // Its types are written for another module resolution.
  const files = linter.lintFiles([join(root, 'docker-compose.yml')], false) as {
    readonly messages: readonly { readonly rule: string; readonly line: number; readonly message: string }[];
  }[];
  const found = files.flatMap(({ messages }) => messages);
  expect(found.map(({ rule, line, message }) => `${line} ${rule}: ${message}`)).toEqual([]);
});

describe.each(services)('%s', (name, service) => {
  test('runs with as little as it needs', () => {
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(service.privileged).toBeUndefined();
    expect(service.cap_add ?? []).toEqual(name === 'proxy' ? ['NET_BIND_SERVICE'] : []);
    expect(service.user).toMatch(/^[1-9]\d*:\d+$/);
    expect(Object.keys(service.deploy?.resources.limits ?? {}).toSorted()).toEqual(['cpus', 'memory']);
  });

  test('has an image of one version, a health check, and networks that exist', () => {
    expect(filled(service.image)).toMatch(/^[a-z0-9/-]+:\d+(\.\d+)+(-[a-z]+)?$/);
    expect(service.healthcheck?.test !== undefined || service.healthcheck?.disable === true).toBe(true);
    expect(service.networks?.length).toBeGreaterThan(0);
    for (const network of service.networks ?? []) expect(Object.keys(compose.networks)).toContain(network);
  });

  test('waits only for services that can become healthy, and shares a network with them', () => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const needed = compose.services[other];
      expect(condition).toBe('service_healthy');
      expect(needed?.healthcheck?.test, other).toBeDefined();
      expect(
        needed?.networks?.some((network) => service.networks?.includes(network)),
        other,
      ).toBe(true);
    }
  });

  test('mounts files and volumes that exist, files read-only', () => {
    for (const volume of service.volumes ?? []) {
      const [source = '', , mode] = volume.split(':');
      if (source.startsWith('./')) {
        expect(existsSync(join(root, source)), source).toBe(true);
        expect(mode, volume).toBe('ro');
      } else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  test('publishes nothing but the proxy, and that to this machine unless asked otherwise', () => {
    if (name !== 'proxy') expect(service.ports).toBeUndefined();
    else for (const port of service.ports ?? []) expect(filled(port)).toMatch(/^127\.0\.0\.1:(\d+):\1$/);
  });

  test('asks other services on ports where they listen', () => {
    const values = Object.values(service.environment ?? {}).map((value) => filled(String(value)));
    const referred = values.flatMap((value) => [...value.matchAll(/(?:^|[@/])([a-z-]+):(\d{4,5})(?=\/|,|$)/g)]);
    for (const [, host = '', port] of referred) expect(listens[host] ?? [], `${host}:${port}`).toContain(Number(port));
  });
});

test('the proxy leads to services and ports that exist', () => {
  const upstreams = [...text('deploy/compose/proxy/Caddyfile').matchAll(/reverse_proxy (?:h2c:\/\/)?([a-z]+):(\d+)/g)];
  expect(upstreams.length).toBeGreaterThan(6);
  for (const [, host = '', port] of upstreams) {
    expect(listens[host] ?? [], `${host}:${port}`).toContain(Number(port));
    expect(compose.services['proxy']?.networks?.some((one) => compose.services[host]?.networks?.includes(one))).toBe(
      true,
    );
  }
});

test('no secret stands in the file: each comes from .env, which the example names and nothing fills in', () => {
  const named = [...text('docker-compose.yml').matchAll(/\$\{(\w+):\?/g)].map((match) => match[1] ?? '');
  const example = Object.fromEntries(
    text('.env.example')
      .split('\n')
      .filter((line) => /^[A-Z_]+=/.test(line))
      .map((line) => line.split('=') as [string, string]),
  );
  expect(Object.keys(example).toSorted()).toEqual([...new Set(named)].toSorted());
  expect(Object.values(example).join('')).toBe('');
  for (const [name, { environment }] of services) {
    for (const [key, value] of Object.entries(environment ?? {})) {
      if (/PASSWORD|TOKEN|SECRET|KEY|CLUSTER_ID/.test(key)) expect(value, `${name} ${key}`).toMatch(/^\$\{\w+:\?/);
    }
  }
});

describe('the processes of Pulse', () => {
  test('have settings that this version reads, and listen behind the proxy only', () => {
    expect(ours.map(([name]) => name).toSorted()).toEqual(
      ['analytics', 'api', 'billing', 'ingest', 'orchestrator', 'streams', 'web'].toSorted(),
    );
    for (const [name, { environment = {}, stop_grace_period }] of ours) {
      for (const key of Object.keys(environment)) expect(Object.keys(environmentNames), name).toContain(key);
      expect(environment['PULSE_TLS']).toBe('terminated-upstream');
      expect(Number.parseInt(stop_grace_period ?? '', 10)).toBeGreaterThan(20);
    }
  });

  test('start from a configuration that is valid, with targets that exist', { timeout: 60_000 }, () => {
    const environment = Object.assign({}, ...ours.map(([, service]) => service.environment)) as Record<string, string>;
    const env = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, filled(String(value))]));
    const all = ours.map(([, service]) => targetOf(service)).join(',');
    const checked = spawnSync(process.execPath, ['main.ts', `--target=${all}`, '--check-config'], {
      cwd: root,
      env: { PATH: process.env['PATH'], PULSE_HOST: '0.0.0.0', ...env },
      encoding: 'utf8',
    });
    expect([checked.status, checked.stderr]).toEqual([0, '']);
    expect(checked.stdout).toContain('the configuration is valid');
  });
});

test('ClickHouse has the users that Pulse and Grafana come as, with passwords from the environment', () => {
  const users = text('deploy/compose/clickhouse/users.xml');
  const { environment = {} } = compose.services['clickhouse'] ?? {};
  for (const [, name = ''] of users.matchAll(/from_env="(\w+)"/g)) expect(Object.keys(environment)).toContain(name);
  expect(users).toContain('<pulse>');
  expect(users).toMatch(/<default remove="remove"\/>/);
  expect(compose.services['grafana']?.environment?.['PULSE_GRAFANA_CLICKHOUSE_USER']).toBe('grafana');
  const provisioned = text('dashboards/provisioning/datasources/pulse.yaml');
  for (const [, name = ''] of provisioned.matchAll(/\$(PULSE_\w+)/g)) {
    expect(Object.keys(compose.services['grafana']?.environment ?? {})).toContain(name);
  }
});
