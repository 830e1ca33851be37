import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';
import { operatorToken, startMockServer, tenantKey } from './server.ts';

const vite = await createServer({
  configFile: fileURLToPath(new URL('../vite.config.ts', import.meta.url)),
  server: { middlewareMode: true, ws: false },
});
const server = await startMockServer({ pages: vite.middlewares, port: 5173 });
process.stdout.write(`${server.url}\noperator token: ${operatorToken}\ntenant key:     ${tenantKey}\n`);
