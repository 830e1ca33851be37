import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';

/** OpenTelemetry for Python, pinned: the client that the containers of an ISP use. */
const version = '1.45.2';
const packages = [`opentelemetry-sdk==${version}`, `opentelemetry-exporter-otlp-proto-http==${version}`];
const folder = join(
  process.env['PULSE_SERVERS_DIR'] ?? join(homedir(), '.cache/pulse-servers'),
  `python-otlp-${version}`,
);
const python = join(folder, 'bin/python');
const readme = join(import.meta.dirname, '../../collectors/sdk/README.md');

/** Installed once; a mark is written last, so that an interrupted install is begun again. */
function install(): void {
  const mark = join(folder, 'complete');
  if (existsSync(mark)) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 'inherit', 'inherit'] });
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  writeFileSync(mark, packages.join('\n'));
}

/** The program that the page for containers shows, with the test's address instead of the usual one. */
function shownProgram(endpoint: string): string {
  const program = /```python\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8'))?.[1] ?? '';
  expect(program).toContain('http://127.0.0.1:4318');
  return `import os\nKEY = os.environ["KEY"]\n${program.replaceAll('http://127.0.0.1:4318', endpoint)}`;
}

/** Traces and logs beside the metrics of the page, by the same packages. */
const tracesAndLogs = (endpoint: string) => `
import logging
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http import Compression

headers = {"authorization": f"Bearer {KEY}"}
tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint="${endpoint}/v1/traces", headers=headers, compression=Compression.Gzip)))
for name in ("sign in", "list customers", "pay"):
    with tracers.get_tracer("shop").start_as_current_span(name):
        pass
loggers = LoggerProvider()
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint="${endpoint}/v1/logs", headers=headers, compression=Compression.Gzip)))
log = logging.getLogger("shop")
log.addHandler(LoggingHandler(logger_provider=loggers))
for number in range(5):
    log.warning("radius is slow %d", number)
metrics.get_meter_provider().force_flush()
tracers.shutdown()
loggers.shutdown()
`;

let pulse: PulseProcess;
beforeAll(async () => {
  install();
  pulse = await startPulse();
});
afterAll(async () => {
  await pulse?.stop();
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
});

test('what a Python container sends by the program of our page is counted exactly', async () => {
  const key = await createTenant(pulse, { id: 'isp-mine' });
  const source = shownProgram(pulse.otlpHttp) + tracesAndLogs(pulse.otlpHttp);
  const child = spawn(python, ['-c', source], {
    env: { PATH: process.env['PATH'], KEY: key },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(0);
  const at = (offset: number) => new Date(Date.now() + offset).toISOString();
  const counts = () =>
    call(pulse, `/api/v1/telemetry/counts?start=${at(-3_600_000)}&end=${at(3_600_000)}`, { token: key });
  // The tables of a batch are written side by side: each is waited for.
  const { body } = await until(
    counts,
    ({ body: seen }) => seen['spans'] === 3 && seen['logRecords'] === 5 && Number(seen['points']) >= 2,
  );
  // The counter is collected by the flush and, a moment later, by the provider's own shutdown at exit.
  expect(body).toEqual({ points: 2, spans: 3, logRecords: 5, usageEvents: 0 });
  const metrics = await call<{ items: { name: string; kind: string }[] }>(pulse, '/api/v1/telemetry/metrics', {
    token: key,
  });
  expect(JSON.stringify(metrics.body)).toContain('dotmac.logins');
});
