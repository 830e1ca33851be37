import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseExposition, type Samples } from './exposition.ts';

const run = promisify(execFile);
const script = join(import.meta.dirname, '../prometheus.sh');

/** A real Prometheus that scrapes itself each second and writes all of it to Pulse. */
export interface PrometheusServer {
  metrics(): Promise<Samples>;
  /** Scrapes no more; what it has goes on to Pulse. */
  stopScraping(): void;
  stop(): Promise<void>;
  log(): string;
  remove(): void;
}

export async function installPrometheus(): Promise<void> {
  await run('bash', [script, 'install'], { maxBuffer: 64 * 1024 * 1024 });
}

/** Starts one that writes in the version given of the protocol. */
export async function startPrometheus(options: {
  readonly port: number;
  readonly url: string;
  readonly apiKey: string;
  readonly protocol: 1 | 2;
}): Promise<PrometheusServer> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-prometheus-'));
  const message = options.protocol === 1 ? 'prometheus.WriteRequest' : 'io.prometheus.write.v2.Request';
  const settings = (scrape: string) => `global: { scrape_interval: 1s }
scrape_configs: ${scrape}
remote_write:
  - url: '${options.url}'
    protobuf_message: ${message}
    authorization: { credentials: '${options.apiKey}' }
    queue_config: { max_backoff: 1s }
`;
  writeFileSync(
    join(dir, 'prometheus.yml'),
    settings(`[{ job_name: self, static_configs: [{ targets: ['127.0.0.1:${options.port}'] }] }]`),
  );
  const { stdout } = await run('bash', [script, 'start', dir, String(options.port)]);
  const address = stdout.trim();
  return {
    metrics: async () => parseExposition(await (await fetch(`${address}/metrics`)).text()),
    stopScraping: () => {
      writeFileSync(join(dir, 'prometheus.yml'), settings('[]'));
      process.kill(Number(readFileSync(join(dir, 'pid'), 'utf8')), 'SIGHUP');
    },
    stop: async () => void (await run('bash', [script, 'stop', dir])),
    log: () => readFileSync(join(dir, 'prometheus.log'), 'utf8'),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
