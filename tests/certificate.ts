import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';

/** A certificate for this machine's loopback addresses, signed by itself, and its key, as files. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  /** SHA-256 of the certificate, as `getPeerCertificate()` writes it. */
  readonly fingerprint: string;
}

/** Makes a certificate and (over)writes `cert.pem` and `key.pem` in `dir`. */
export async function writeCertificate(dir: string): Promise<TestCertificate> {
  const pair = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  const certFile = join(dir, 'cert.pem');
  const keyFile = join(dir, 'key.pem');
  writeFileSync(keyFile, pair.private);
  writeFileSync(certFile, pair.cert);
  return { certFile, keyFile, cert: pair.cert, fingerprint: new X509Certificate(pair.cert).fingerprint256 };
}
