import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

/** A request as the receiver read it. */
export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A receiver of OTLP/HTTP in this process, for tests: it fails, hangs and restarts on demand, and counts by itself. */
export interface TestReceiver {
  readonly endpoint: string;
  /** What it acknowledged. */
  readonly taken: ReceivedRequest[];
  /** Decides the answer to the next requests; null acknowledges. */
  answer: ((request: ReceivedRequest, response: ServerResponse) => boolean) | null;
  requests(): number;
  /** Closes its port, with every connection. */
  down(): Promise<void>;
  /** Listens on the same port again. */
  up(): Promise<void>;
  stop(): Promise<void>;
}

export async function startReceiver(): Promise<TestReceiver> {
  const taken: ReceivedRequest[] = [];
  let requests = 0;
  let port = 0;
  let server: Server;
  const receiver: TestReceiver = {
    get endpoint() {
      return `http://127.0.0.1:${port}/`;
    },
    taken,
    answer: null,
    requests: () => requests,
    async down() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
    async up() {
      server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('error', () => undefined);
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          requests += 1;
          const raw = Buffer.concat(chunks);
          const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
          const received = { path: request.url ?? '', headers: request.headers, body };
          if (receiver.answer !== null && !receiver.answer(received, response)) return;
          taken.push(received);
          response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
        });
      });
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      port = (server.address() as AddressInfo).port;
    },
    stop: () => receiver.down(),
  };
  await receiver.up();
  return receiver;
}

const schema = protobuf.parse(`
syntax = "proto3";
message Value { string string_value = 1; }
message Attribute { string key = 1; Value value = 2; }
message Resource { repeated Attribute attributes = 1; }
message LogRecord { Value body = 5; }
message ScopeLogs { repeated LogRecord log_records = 2; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message Request { repeated ResourceLogs resource_logs = 1; }
`).root;

/** Log records of acknowledged requests, as `tenant/body`. */
export function logBodies(taken: readonly ReceivedRequest[]): string[] {
  const type = schema.lookupType('Request');
  return taken
    .filter(({ path }) => path === '/v1/logs')
    .flatMap(({ body }) => {
      const request = type.toObject(type.decode(body), { arrays: true }) as {
        resourceLogs: {
          resource?: { attributes: { key: string; value: { stringValue: string } }[] };
          scopeLogs: { logRecords: { body: { stringValue: string } }[] }[];
        }[];
      };
      return request.resourceLogs.flatMap(({ resource, scopeLogs }) => {
        const tenants = resource?.attributes.filter(({ key }) => key === 'dotmac.tenant.id') ?? [];
        return scopeLogs.flatMap(({ logRecords }) =>
          logRecords.map((one) => `${tenants.map(({ value }) => value.stringValue).join('+')}/${one.body.stringValue}`),
        );
      });
    });
}
