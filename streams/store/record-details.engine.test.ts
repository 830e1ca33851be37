import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStoreFixture, rowsOf, type StoreFixture } from './store-fixture.ts';
import { BatchFeed, openPipeline, receivedAt } from './telemetry-fixture.ts';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

const nanos = `${receivedAt}000001`;
const scope = { name: 'lib', version: '2', attributes: [{ key: 's', value: { intValue: '3' } }] };
const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
const ids = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

test('what a sender left out, flags, schema URLs and scopes of spans and log records are stored', async () => {
  const feed = new BatchFeed();
  const pipeline = openPipeline({ dir: fixture.dir, store: fixture.store, feed });
  const span = {
    ...ids,
    name: 'GET /',
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    flags: 0x301,
    droppedAttributesCount: 1,
    droppedEventsCount: 2,
    droppedLinksCount: 4_294_967_295,
    events: [
      { timeUnixNano: nanos, name: 'a', droppedAttributesCount: 5 },
      { timeUnixNano: nanos, name: 'b' },
    ],
    links: [{ ...ids, droppedAttributesCount: 6, flags: 7 }],
  };
  const record = { timeUnixNano: nanos, observedTimeUnixNano: `${receivedAt}000009`, droppedAttributesCount: 8 };
  feed.otlp('traces', {
    resourceSpans: [{ resource, schemaUrl: 'r-url', scopeSpans: [{ scope, schemaUrl: 's-url', spans: [span] }] }],
  });
  feed.otlp('logs', {
    resourceLogs: [{ resource, schemaUrl: 'r-url', scopeLogs: [{ scope, schemaUrl: 's-url', logRecords: [record] }] }],
  });
  await pipeline.drain();
  expect(
    await rowsOf(
      fixture.store,
      `SELECT Flags, DroppedAttributes, DroppedEvents, DroppedLinks, ResourceSchemaUrl, ScopeSchemaUrl, ScopeAttributes['s'] AS s,
         Events.DroppedAttributes AS events, Links.DroppedAttributes AS links, Links.Flags AS linkFlags FROM otel_traces`,
    ),
  ).toEqual([
    {
      Flags: 0x301,
      DroppedAttributes: 1,
      DroppedEvents: 2,
      DroppedLinks: 4_294_967_295,
      ResourceSchemaUrl: 'r-url',
      ScopeSchemaUrl: 's-url',
      s: '3',
      events: [5, 0],
      links: [6],
      linkFlags: [7],
    },
  ]);
  expect(
    await rowsOf(
      fixture.store,
      `SELECT DroppedAttributes, toString(toUnixTimestamp64Nano(ObservedTimestamp)) AS observed, ScopeName, ScopeVersion,
         ScopeAttributes['s'] AS s, ResourceSchemaUrl, ScopeSchemaUrl FROM otel_logs`,
    ),
  ).toEqual([
    {
      DroppedAttributes: 8,
      observed: `${receivedAt}000009`,
      ScopeName: 'lib',
      ScopeVersion: '2',
      s: '3',
      ResourceSchemaUrl: 'r-url',
      ScopeSchemaUrl: 's-url',
    },
  ]);
});
