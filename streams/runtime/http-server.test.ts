import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { describeApi } from './api-document.ts';
import { ServerConfig } from './config.ts';
import { createApp } from './http-server.ts';
import { setPageFallback } from './unknown-routes.ts';

let app = createApp(ServerConfig.parse({}), pino({ level: 'silent' }));

async function start() {
  app = createApp(ServerConfig.parse({}), pino({ level: 'silent' }));
  describeApi(app, '1.2.3');
  const check = z.object({ component: z.string(), status: z.literal(['up', 'down']) });
  await app.register(async (routes) => {
    routes.post(
      '/api/v1/things/:id',
      { schema: { body: z.union([z.object({ checks: z.array(check) }), check]), response: { 200: z.object({}) } } },
      async () => ({}),
    );
    routes.get('/api/v1/things', async () => ({}));
  });
  return app;
}

afterEach(() => app.close());

test('a path under another method answers 405 and names the methods that it takes', async () => {
  const answer = await (await start()).inject({ method: 'PUT', url: '/api/v1/things/7?x=1' });
  expect([answer.statusCode, answer.headers.allow, answer.headers['content-type']]).toEqual([
    405,
    'POST',
    'application/problem+json',
  ]);
  expect(answer.json()).toMatchObject({ code: 'request.method', detail: '/api/v1/things/7 takes POST, not PUT' });
});

test('an unknown path answers a problem, or the page where one is set', async () => {
  const server = await start();
  const unknown = await server.inject('/nope');
  expect([unknown.statusCode, unknown.json().code]).toEqual([404, 'request.not_found']);
  setPageFallback(server, (_request, reply) => reply.type('text/html').send('<p>page'));
  expect((await server.inject('/nope')).body).toBe('<p>page');
});

test('a body that is no JSON by its content type answers 415', async () => {
  const headers = { 'content-type': 'text/plain' };
  const answer = await (await start()).inject({ method: 'POST', url: '/api/v1/things/7', headers, payload: '{}' });
  expect([answer.statusCode, answer.json().code]).toEqual([415, 'request.media_type']);
});

test.each([
  [{ component: 'db', status: 'meh' }, 'body.status'],
  [
    {
      checks: [
        { component: 'db', status: 'up' },
        { component: 'db', status: 'meh' },
      ],
    },
    'body.checks.1.status',
  ],
  [[], 'body'],
])('a mistake in a body of several shapes names the field: %j', async (payload, field) => {
  const answer = await (await start()).inject({ method: 'POST', url: '/api/v1/things/7', payload });
  expect([answer.statusCode, answer.json().code, answer.json().field]).toEqual([400, 'request.invalid', field]);
});

test('the document is OpenAPI 3.1 and has the problem that every route can answer', async () => {
  const server = await start();
  await server.ready();
  const document = JSON.parse(JSON.stringify(server.swagger()));
  expect(document.openapi).toBe('3.1.0');
  const responses = document.paths['/api/v1/things/{id}'].post.responses;
  expect(Object.keys(responses)).toEqual(['200', 'default']);
  expect(responses.default.content['application/problem+json'].schema).toEqual({
    $ref: '#/components/schemas/Problem',
  });
  expect(document.components.schemas.Problem.required).toContain('code');
});
