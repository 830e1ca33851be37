import { gunzipSync } from 'node:zlib';
import { type LogMessage, toHeaders } from 'streams/log';
import { type OtlpSignal, otlpJsonToProtobuf, scanOtlp, timeBounds } from 'streams/otlp';
import type { Request } from './sender.ts';

const signals: Readonly<Record<string, OtlpSignal>> = { '/v1/metrics': 'metrics', '/v1/logs': 'logs' };

/** The record that the door puts on the log for a request, for checks that begin behind the door. */
export function toLogMessage(request: Request, tenantNumber: number, receivedAt: number): LogMessage {
  const envelope = {
    tenant: request.tenant,
    tenantNumber,
    receivedAt,
    credential: 'fault',
    batch: `r${request.id}`,
    part: 0,
    parts: 1,
  };
  const signal = signals[request.path];
  if (signal === undefined) {
    const { payload, counts } = toUsageEvents(request);
    const headers = toHeaders({ ...envelope, signal: 'events', encoding: 'cloudevents', counts });
    return { key: request.tenant, headers, payload };
  }
  const payload = otlpJsonToProtobuf(signal, gunzipSync(request.body));
  const counts = scanOtlp(signal, payload, timeBounds(receivedAt)).hours;
  return { key: request.tenant, headers: toHeaders({ ...envelope, signal, encoding: 'otlp', counts }), payload };
}

interface CloudEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly data: { readonly value: string };
}

function toUsageEvents(request: Request) {
  const events = JSON.parse(request.body.toString('utf8')) as readonly CloudEvent[];
  const hours = new Map<number, { records: number; sum: bigint }>();
  for (const { time, data } of events) {
    const hour = Math.floor(Date.parse(time) / 3_600_000) * 3600;
    const count = hours.get(hour) ?? { records: 0, sum: 0n };
    hours.set(hour, { records: count.records + 1, sum: count.sum + BigInt(data.value) });
  }
  const counts = [...hours].map(([hour, { records, sum }]) => ({ hour, records, sum: String(sum) }));
  const payload = events.map(({ data, source, id, type, subject, time }) => {
    return { source, id, type, subject, time, value: data.value, attributes: {} };
  });
  return { payload: Buffer.from(JSON.stringify(payload)), counts };
}
