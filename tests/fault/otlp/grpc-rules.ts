import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { status as codes } from '@grpc/grpc-js';
import { exportByGrpc, type GrpcCall } from '../../grpc-client.ts';
import { numberOf, readProto, readStatus, textOf } from './protobuf.ts';
import { encoded, openRequest, type Rule, request, signals, type Target } from './target.ts';

const good = () => encoded('metrics', 'protobuf', request('metrics'));
const send = (target: Target, message: Uint8Array, call: GrpcCall = {}) =>
  exportByGrpc(target.pulse.otlpGrpc, message, { key: target.key, ...call });

function refusal(id: string, text: string, code: number, call: (target: Target) => ReturnType<typeof send>): Rule {
  return {
    id: `grpc-${id}`,
    text,
    async check(target) {
      const answer = await call(target);
      assert.equal(answer.code, code, answer.message);
      const status = readStatus(answer.details, false);
      assert.deepEqual([status.code, status.message], [code, answer.message]);
      assert.ok(!status.details.includes('google.rpc.RetryInfo'), 'asks to be sent again');
    },
  };
}

/** OTLP/gRPC. *Source* opentelemetry.io/docs/specs/otlp, "OTLP/gRPC". */
export const grpcRules: readonly Rule[] = [
  {
    id: 'grpc-success',
    text: 'Export of each service answers OK with Export…ServiceResponse, partial_success unset',
    async check(target) {
      for (const signal of signals) {
        const answer = await send(target, encoded(signal, 'protobuf', request(signal)), { signal });
        assert.deepEqual([answer.code, answer.body.length], [codes.OK, 0], `${signal} ${answer.message}`);
      }
    },
  },
  {
    id: 'grpc-empty',
    text: 'an empty request is answered with success',
    async check(target) {
      for (const signal of signals) assert.equal((await send(target, new Uint8Array(0), { signal })).code, codes.OK);
    },
  },
  {
    id: 'grpc-partial',
    text: 'a partly accepted request is OK with partial_success: the number of rejected records and a reason',
    async check(target) {
      for (const signal of signals) {
        const answer = await send(target, encoded(signal, 'protobuf', request(signal, 2, 3)), { signal });
        assert.equal(answer.code, codes.OK);
        const partial = readProto(answer.body).get(1)?.[0];
        assert.ok(partial instanceof Uint8Array, signal);
        const fields = readProto(partial);
        assert.equal(numberOf(fields.get(1)?.[0]), 3);
        assert.match(textOf(fields.get(2)?.[0]), /too_old/);
      }
    },
  },
  {
    id: 'grpc-gzip',
    text: 'messages may be compressed with gzip',
    async check(target) {
      assert.equal((await send(target, good(), { gzip: true })).code, codes.OK);
    },
  },
  {
    id: 'grpc-unknown-fields',
    text: 'unknown fields are ignored',
    async check(target) {
      const newer = Buffer.concat([good(), Buffer.from([0x82, 0x7d, 0x01, 0x2a, 0x88, 0x7d, 0x07])]);
      assert.equal((await send(target, newer)).code, codes.OK);
    },
  },
  refusal('bad-data', 'data that cannot be decoded is INVALID_ARGUMENT', codes.INVALID_ARGUMENT, (target) =>
    send(target, Buffer.from([0x0a, 0x7f, 1])),
  ),
  refusal('no-credential', 'no credential is UNAUTHENTICATED', codes.UNAUTHENTICATED, (target) =>
    exportByGrpc(target.pulse.otlpGrpc, good()),
  ),
  refusal('unknown-credential', 'an unknown credential is UNAUTHENTICATED', codes.UNAUTHENTICATED, (target) =>
    send(target, good(), { key: 'nobody' }),
  ),
  refusal('no-tenant', 'a credential without a tenant is PERMISSION_DENIED', codes.PERMISSION_DENIED, (target) =>
    send(target, good(), { key: target.pulse.token }),
  ),
  {
    id: 'grpc-too-large',
    text: 'a message above the bound is RESOURCE_EXHAUSTED without RetryInfo: it is not to be sent again',
    async check(target) {
      for (const gzip of [false, true]) {
        const answer = await send(target, Buffer.alloc(1024 * 1024 + 1), { gzip });
        assert.deepEqual([answer.code, answer.details.length], [codes.RESOURCE_EXHAUSTED, 0]);
      }
    },
  },
  {
    id: 'grpc-throttled',
    text: 'a limit is RESOURCE_EXHAUSTED with RetryInfo',
    async check(target) {
      const open = await openRequest(target, target.narrowKey, 1000);
      const answer = await send(target, good(), { key: target.narrowKey });
      await open.release();
      assert.equal(answer.code, codes.RESOURCE_EXHAUSTED);
      assert.deepEqual(readStatus(answer.details, false).details, ['google.rpc.RetryInfo']);
    },
  },
  {
    id: 'grpc-concurrent',
    text: 'a connection carries many calls at a time',
    async check(target) {
      const channel = { 'grpc.use_local_subchannel_pool': 0 };
      const answers = await Promise.all(Array.from({ length: 20 }, () => send(target, good(), { channel })));
      assert.deepEqual(new Set(answers.map(({ code }) => code)), new Set([codes.OK]));
    },
  },
  {
    id: 'grpc-unknown-service',
    text: 'a service that is not served is UNIMPLEMENTED',
    async check(target) {
      const session = connect(target.pulse.otlpGrpc);
      const stream = session.request({
        ':method': 'POST',
        ':path': '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.end();
      const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
      session.destroy();
      assert.equal(headers['grpc-status'], String(codes.UNIMPLEMENTED));
    },
  },
];
