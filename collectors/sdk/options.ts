import type { PulseExportError } from './failures.ts';
import type { MeasuredPoint } from './points.ts';

/** What {@link startPulse} takes. */
export interface PulseOptions {
  /** Base address of Pulse's OTLP/HTTP port, without a signal path: `https://pulse.example:4318`. */
  readonly endpoint: string;
  /** The tenant's API key; it decides the tenant that everything is stored under. */
  readonly apiKey: string;
  /** OpenTelemetry `service.name`: which part of the instance speaks, `api`, `billing`, `worker`. */
  readonly serviceName: string;
  readonly serviceVersion?: string | undefined;
  /** OpenTelemetry `service.instance.id`; the host's name unless given. Keep it stable: each value makes new series. */
  readonly instanceId?: string | undefined;
  /** Advisory: a request that names another tenant than its key is refused whole. */
  readonly tenantId?: string | undefined;
  /** OpenTelemetry `cloud.region`. */
  readonly region?: string | undefined;
  /** *Units* milliseconds between two exports of all metrics, 1,000 to 3,600,000; default 60,000. */
  readonly metricIntervalMs?: number | undefined;
  /** Further resource attributes; they cannot replace the ones above. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /**
   * Whether `@opentelemetry/api` (and so every instrumentation library of the process) sends to Pulse too; default true.
   * False keeps the process's own OpenTelemetry set-up untouched: only what `meter`, `tracer` and `logger` give is sent.
   */
  readonly global?: boolean | undefined;
  /** Takes each failed export; without it, stderr gets a line at the first of a kind and then one a minute with a count. */
  readonly onError?: ((error: PulseExportError) => void) | undefined;
  /** Asked with each export for points that the program measured itself, with their own times; each is to be given once. */
  readonly points?: (() => readonly MeasuredPoint[]) | undefined;
}

export interface CheckedOptions {
  readonly endpoint: string;
  readonly apiKey: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly metricIntervalMs: number;
  readonly global: boolean;
  readonly onError: ((error: PulseExportError) => void) | undefined;
  readonly points: (() => readonly MeasuredPoint[]) | undefined;
}

/** An option that cannot be used. *Shape* `code` is `sdk.option_invalid`, or `sdk.already_started`; `field` names the option. */
export class PulseOptionError extends Error {
  override readonly name = 'PulseOptionError';
  readonly code: string;
  readonly field: string;
  constructor(field: string, message: string, code = 'sdk.option_invalid') {
    super(`${field}: ${message}`);
    this.code = code;
    this.field = field;
  }
}

const TENANT = /^[a-z0-9-]{1,40}$/;
/** RFC 6750 b64token, so that the header can carry it. */
const KEY = /^[A-Za-z0-9\-._~+/]+=*$/;

/** Validates options. *Errors* {@link PulseOptionError} for the first option that is wrong. */
export function checkOptions(options: PulseOptions, hostName: string): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw new PulseOptionError('options', 'an object is needed');
  const tenantId = optionalText(options.tenantId, 'tenantId');
  if (tenantId !== undefined && !TENANT.test(tenantId)) {
    throw new PulseOptionError('tenantId', 'lower-case letters, digits and hyphens, 1 to 40 characters');
  }
  const apiKey = text(options.apiKey, 'apiKey');
  if (!KEY.test(apiKey)) {
    throw new PulseOptionError('apiKey', 'has characters that no Pulse key has (blanks or quotes copied along?)');
  }
  if (options.onError !== undefined && typeof options.onError !== 'function') {
    throw new PulseOptionError('onError', 'a function is needed');
  }
  if (options.points !== undefined && typeof options.points !== 'function') {
    throw new PulseOptionError('points', 'a function is needed');
  }
  const named: Record<string, string | undefined> = {
    'service.namespace': 'dotmac',
    'service.name': text(options.serviceName, 'serviceName'),
    'service.instance.id': optionalText(options.instanceId, 'instanceId') ?? hostName,
    'service.version': optionalText(options.serviceVersion, 'serviceVersion'),
    'cloud.region': optionalText(options.region, 'region'),
    'dotmac.tenant.id': tenantId,
  };
  const resource: Record<string, string> = { ...checkAttributes(options.attributes) };
  for (const [name, value] of Object.entries(named)) if (value !== undefined) resource[name] = value;
  return {
    endpoint: checkEndpoint(options.endpoint),
    apiKey,
    resource,
    metricIntervalMs: checkInterval(options.metricIntervalMs),
    global: options.global ?? true,
    onError: options.onError,
    points: options.points,
  };
}

function text(value: unknown, field: string): string {
  if (typeof value !== 'string' || value.trim() === '') throw new PulseOptionError(field, 'a text is needed');
  if (value.length > 1024) throw new PulseOptionError(field, 'at most 1,024 characters');
  return value.trim();
}

function optionalText(value: unknown, field: string): string | undefined {
  return value === undefined ? undefined : text(value, field);
}

function checkEndpoint(value: unknown): string {
  const given = text(value, 'endpoint');
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw new PulseOptionError('endpoint', `not a URL: ${given} (expected for example http://127.0.0.1:4318)`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new PulseOptionError('endpoint', `http or https, not ${url.protocol.slice(0, -1)}`);
  }
  if (/\/v1\/(metrics|traces|logs)\/?$/.test(url.pathname)) {
    throw new PulseOptionError('endpoint', 'the base address without /v1/metrics, /v1/traces or /v1/logs');
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new PulseOptionError('endpoint', 'no query, fragment or user name; the key goes into apiKey');
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function checkInterval(value: unknown): number {
  if (value === undefined) return 60_000;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1_000 || value > 3_600_000) {
    throw new PulseOptionError('metricIntervalMs', 'a whole number of milliseconds, 1,000 to 3,600,000');
  }
  return value;
}

function checkAttributes(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null) throw new PulseOptionError('attributes', 'an object of texts');
  const checked: Record<string, string> = {};
  for (const [name, entry] of Object.entries(value)) checked[name] = text(entry, `attributes.${name}`);
  return checked;
}
