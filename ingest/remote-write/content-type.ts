import { AppError } from 'streams/contract';
import type { RemoteWriteVersion } from 'streams/otlp';

const messages = new Map<string, RemoteWriteVersion>([
  ['prometheus.WriteRequest', '1.0'],
  ['io.prometheus.write.v2.Request', '2.0'],
]);

/**
 * Which message a body is, by its content type alone; without `proto=` it is 1.0.
 *
 * *Errors* `ingest.media_type` (415). *Source* remote-write 2.0, "Content-Type".
 */
export function negotiateVersion(contentType: string | undefined): RemoteWriteVersion {
  const [type, ...parameters] = (contentType ?? '').split(';').map((part) => part.trim());
  if (type?.toLowerCase() !== 'application/x-protobuf') throw unsupported('application/x-protobuf');
  for (const parameter of parameters) {
    const equals = parameter.indexOf('=');
    if (parameter.slice(0, equals).trim().toLowerCase() !== 'proto') continue;
    const name = parameter
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    const version = messages.get(name);
    if (version === undefined) throw unsupported(`proto=${[...messages.keys()].join(' or proto=')}`);
    return version;
  }
  return '1.0';
}

function unsupported(expected: string): AppError {
  return new AppError('ingest.media_type', `content-type must be ${expected}`, {
    status: 415,
    field: 'headers.content-type',
  });
}

/**
 * Refuses every encoding but snappy. A body without the header is taken for snappy, as Prometheus' own receiver does.
 *
 * *Errors* `ingest.encoding_unsupported` (415).
 */
export function requireSnappy(encoding: string | undefined): void {
  const name = encoding?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'snappy') return;
  throw new AppError('ingest.encoding_unsupported', 'content-encoding must be snappy', {
    status: 415,
    field: 'headers.content-encoding',
  });
}
