// Sends spans of known durations with the OpenTelemetry SDK for Node, and prints what it sent.
//
//     node sdk.mjs json|proto ENDPOINT INTEGRATION

import { createRequire } from 'node:module';

const [encoding, endpoint, integration] = process.argv.slice(2);
const installed = createRequire(`${process.env.SEAMWATCH_TEST_MODULES}/`);
const { trace, SpanKind, SpanStatusCode } = installed('@opentelemetry/api');
const { NodeSDK, tracing } = installed('@opentelemetry/sdk-node');
const { OTLPTraceExporter } = installed(
  encoding === 'json' ? '@opentelemetry/exporter-trace-otlp-http' : '@opentelemetry/exporter-trace-otlp-proto',
);

process.env.OTEL_RESOURCE_ATTRIBUTES = `integration.name=${integration}`;
process.env.OTEL_METRICS_EXPORTER = 'none';
process.env.OTEL_LOGS_EXPORTER = 'none';
const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` });
const sdk = new NodeSDK({
  // Small batches, so that one test is many requests.
  spanProcessors: [new tracing.BatchSpanProcessor(exporter, { maxQueueSize: 4096, maxExportBatchSize: 64 })],
  instrumentations: [],
});
sdk.start();

let seed = 11;
const dice = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};
const hr = (ns) => [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];

const tracer = trace.getTracer('test');
const now = BigInt(Date.now()) * 1_000_000n;
const sent = [];
for (const [method, template, count, everyNthFails] of [
  ['GET', '/v1/contacts/{id}', 457, 23],
  ['PATCH', '/v1/deals', 163, 9],
]) {
  for (let n = 0; n < count; n += 1) {
    // From 5 ms to some seconds, most of it short.
    const duration = BigInt(Math.floor(5e6 * 600 ** (dice() ** 3)));
    // Over several minutes, so that the answer is merged from several windows.
    const end = now - BigInt(Math.floor(dice() * 240e9));
    const status = n % everyNthFails === 0 ? 503 : 200;
    const span = tracer.startSpan(method, {
      kind: SpanKind.CLIENT,
      startTime: hr(end - duration),
      attributes: {
        'http.request.method': method,
        'url.template': template,
        'url.full': `https://api.hubapi.com${template}`,
        'server.address': 'api.hubapi.com',
        'server.port': 443,
        'http.response.status_code': status,
      },
    });
    if (status >= 400) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(hr(end));
    const { traceId, spanId } = span.spanContext();
    sent.push({
      peer: 'api.hubapi.com',
      endpoint: `${method} ${template}`,
      class: status >= 400 ? 'server' : 'ok',
      duration_ns: Number(duration),
      trace_id: traceId,
      span_id: spanId,
    });
  }
}

await sdk.shutdown();
console.log(JSON.stringify(sent));
