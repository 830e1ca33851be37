import { metrics, trace } from '@opentelemetry/api';
import { logs } from '@opentelemetry/api-logs';
import { NodeSDK } from '@opentelemetry/sdk-node';

// Only OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS and OTEL_…_EXPORTER=otlp are set: nothing here knows Pulse.
const sdk = new NodeSDK({ serviceName: 'isp-container', instrumentations: [] });
sdk.start();
const health = metrics.getMeter('isp').createGauge('dotmac.health.status');
health.record(1, { component: 'web', status: 'up' });
metrics.getMeter('isp').createGauge('dotmac.customers.active', { unit: '{customer}' }).record(120);
for (let i = 0; i < 5; i += 1) trace.getTracer('isp').startSpan(`request ${i}`).end();
for (let i = 0; i < 7; i += 1) logs.getLogger('isp').emit({ body: `line ${i}`, severityText: 'INFO' });
await sdk.shutdown();
console.log('sent');
