import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { z } from 'zod';
import type { Access, LimitsDirectory, TenantDirectory } from '../access/port.ts';
import type { Control, Leases, Outbox } from '../control/port.ts';
import type { ForwardTarget } from '../forwarding/port.ts';
import type { Log } from '../log/port.ts';
import type { Maintenance } from '../replay/port.ts';
import type { EngineSessions } from '../store/engine-sessions.ts';
import type { Store } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { TlsSource } from './tls-files.ts';

/** What modules share. A module may use only what it and its required modules provide; anything else throws when touched. */
export interface Services {
  readonly clock: Clock;
  readonly logger: Logger;
  /** prom-client registry behind `/metrics`. */
  readonly metrics: Registry;
  readonly dataDir: string;
  readonly log: Log;
  readonly store: Store;
  /** Connections of the embedded engine for whoever serves its SQL; null when the store is a server. */
  readonly engine: EngineSessions | null;
  readonly control: Control;
  /** What replay and backup need of the other modules of this process; always there. */
  readonly maintenance: Maintenance;
  /** Which process runs a scheduled job. */
  readonly leases: Leases;
  /** Domain events that wait to be sent. */
  readonly outbox: Outbox;
  /** Another receiver of OTLP; null when forwarding is off. */
  readonly forwardTarget: ForwardTarget | null;
  readonly access: Access;
  /** For the clients that run inside of this process (agent, demo): they call the API like any other. */
  readonly operatorToken: () => string;
  readonly tenants: TenantDirectory;
  readonly limits: LimitsDirectory;
  /** The API and page server. Register routes in `create`; it listens after every module has started. */
  readonly http: FastifyInstance;
  /** The OTLP/HTTP server on its own port. */
  readonly otlpHttp: FastifyInstance;
  /** Servers of other protocols. Push in `create`; the gateway makes them listen and drains them together with the HTTP applications. */
  readonly listeners: GatewayListener[];
  /** Addresses after listening, for the ready line. */
  readonly addresses: Addresses;
}

/** A server of another protocol than HTTP/1, opened and closed by the gateway. */
export interface GatewayListener {
  /** Which address of the ready line it fills. */
  readonly address: 'otlpGrpc' | 'clickhouseHttp';
  /** Listens and answers its address as a URL. *Errors* `server.port_taken`, `server.address`. */
  listen(at: ListenAt): Promise<string>;
  /** Accepts nothing more and resolves when every request in hand is answered or its connection is gone. */
  drain(): Promise<void>;
}

export interface ListenAt {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** The variable that sets the port, for error messages. */
  readonly variable: string;
  /** Null: in the clear. */
  readonly tls: TlsSource | null;
}

export interface Addresses {
  http: string | null;
  otlpHttp: string | null;
  otlpGrpc: string | null;
  clickhouseHttp: string | null;
}

/** A process that stands by for its jobs is as ready as the one that leads. */
export type Readiness =
  | { readonly ready: true; readonly jobs?: Readonly<Record<string, 'leading' | 'standing by'>> }
  | { readonly ready: false; readonly reason: string };

/** A running part. `start` does all I/O, `stop` drains and is idempotent. */
export interface RunningModule {
  readonly provides?: Partial<Services>;
  start(): Promise<void>;
  ready(): Readiness;
  stop(): Promise<void>;
}

/**
 * A module as data. The manager sorts by `requires`, creates all (no I/O), starts forward and stops in reverse.
 *
 * *Shape* `config` parses the section of the configuration that carries the module's name (or `section`).
 */
export interface ModuleDefinition<Config = unknown> {
  readonly name: string;
  readonly description: string;
  readonly requires: readonly string[];
  /** Section of the configuration, when it is not the module's own name: jobs and routes of one folder may share one. */
  readonly section?: string;
  readonly config: z.ZodType<Config>;
  create(config: Config, services: Services): RunningModule;
}

/** Keeps the config type of a definition while it stands in a list of mixed modules. */
export function defineModule<Config>(definition: ModuleDefinition<Config>): ModuleDefinition {
  return definition as ModuleDefinition;
}
