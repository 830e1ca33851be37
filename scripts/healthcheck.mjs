// Asks the process in this container for its health; exit code 0 when it says yes. Usage: node scripts/healthcheck.mjs /healthz|/readyz
// With certificates of its own the process serves HTTPS; the answer's certificate is for its public name, not for this address.
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';

const path = process.argv[2] ?? '/healthz';
const { PULSE_HTTP_PORT: port = '8000', PULSE_TLS_CERT: certificate } = process.env;
const send = certificate ? secure : plain;
const request = send({ host: '127.0.0.1', port, path, timeout: 4000, rejectUnauthorized: false }, (response) => {
  response.resume();
  if (response.statusCode !== 200) console.error(`${path} answered ${response.statusCode}`);
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
request.on('timeout', () => request.destroy(new Error('no answer within 4 s')));
request.on('error', (error) => {
  console.error(`${path}: ${error.message}`);
  process.exitCode = 1;
});
request.end();
