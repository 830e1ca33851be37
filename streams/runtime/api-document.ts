import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';

/** The parts of an OpenAPI document that are added to. */
interface ApiDocument {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, { readonly responses?: object }>>>>;
  readonly components?: { readonly schemas?: object };
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457 problem; `code` is stable, `field` names what was wrong in the request.',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string' },
    field: { type: 'string' },
    correlationId: { type: 'string' },
  },
} as const;

/** Collects the route schemas into OpenAPI 3.1. Register before any route. */
export function describeApi(app: FastifyInstance, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'DotMac Pulse',
        version,
        description: 'Telemetry, service levels, usage, invoices and decisions of the DotMac fleet.',
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: (source) => withProblems(jsonSchemaTransformObject(source) as ApiDocument),
  });
}

/** Adds the problem that every route can answer; OTLP has its own `google.rpc.Status`. */
function withProblems(document: ApiDocument): object {
  const problem = {
    description: 'Refused or failed',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
  const paths = Object.entries(document.paths ?? {}).map(([path, operations]) => {
    if (path.startsWith('/v1/')) return [path, operations] as const;
    const described = Object.entries(operations).map(
      ([method, operation]) =>
        [method, { ...operation, responses: { ...operation.responses, default: problem } }] as const,
    );
    return [path, Object.fromEntries(described)] as const;
  });
  const schemas = { ...document.components?.schemas, Problem: problemSchema };
  return { ...document, paths: Object.fromEntries(paths), components: { ...document.components, schemas } };
}
