import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { lingerOnRefusal } from './lingering-close.ts';

const mebibyte = 1024 * 1024;

async function refusing(mostBytes?: number) {
  const app = fastify({ bodyLimit: 1024 });
  lingerOnRefusal(app, mostBytes);
  app.post('/', async () => 'taken');
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, port: (app.server.address() as AddressInfo).port };
}

const head = (length: string) => `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${length}\r\n\r\n`;

async function writeSlowly(port: number, parts: readonly (string | Buffer)[]) {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  let fault: Error | undefined;
  socket.on('error', (error) => {
    fault = error;
  });
  await once(socket, 'connect');
  for (const part of parts) {
    // An error, which both would reject with, is what some of these tests look for.
    if (!socket.write(part)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (socket.destroyed) break;
  }
  // Read only now: after a reset there would be nothing left to read.
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { socket, fault, read: () => answer };
}

test('a body that is refused by its length can be sent to its end, and the connection goes on', async () => {
  const { app, port } = await refusing();
  const body = Array.from({ length: 20 }, () => Buffer.alloc(mebibyte));
  const sender = await writeSlowly(port, [head(`content-length: ${20 * mebibyte}`), ...body]);
  expect(sender.fault).toBeUndefined();
  expect(sender.read()).toMatch(/^HTTP\/1.1 413 /);
  sender.socket.write(`${head('content-length: 2')}{}`);
  await once(sender.socket, 'data');
  expect(sender.read()).toMatch(/HTTP\/1.1 200 /);
  sender.socket.destroy();
  await app.close();
});

test('so can one of unknown length', async () => {
  const { app, port } = await refusing();
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(mebibyte), Buffer.from('\r\n')]);
  const chunks = [...Array.from({ length: 20 }, () => chunk), Buffer.from('0\r\n\r\n')];
  const sender = await writeSlowly(port, [head('transfer-encoding: chunked'), ...chunks]);
  expect(sender.fault).toBeUndefined();
  expect(sender.read()).toMatch(/^HTTP\/1.1 413 /);
  sender.socket.destroy();
  await app.close();
});

test('a sender that never stops is cut off', async () => {
  const { app, port } = await refusing(4 * mebibyte);
  const body = Array.from({ length: 40 }, () => Buffer.alloc(mebibyte));
  const sender = await writeSlowly(port, [head(`content-length: ${40 * mebibyte}`), ...body]);
  expect(sender.socket.destroyed).toBe(true);
  await app.close();
});
