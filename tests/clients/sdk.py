"""Sends spans of known durations with the OpenTelemetry SDK for Python, and prints what it sent.

    sdk.py grpc|http ENDPOINT INTEGRATION
"""

import json
import random
import sys
import time

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

transport, endpoint, integration = sys.argv[1:]
secure = endpoint.startswith("https:")

if transport == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not secure, compression=Compression.Gzip)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", compression=Compression.Gzip)

provider = TracerProvider(resource=Resource.create({"integration.name": integration}))
# Small batches, so that one test is many requests.
provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=4096, max_export_batch_size=64))
tracer = provider.get_tracer("test")

dice = random.Random(11)
now = time.time_ns()
sent = []
for method, template, count, every_nth_fails in (
    ("GET", "/v1/charges/{id}", 457, 23),
    ("POST", "/v1/refunds", 163, 9),
):
    for n in range(count):
        duration = int(dice.lognormvariate(18.6, 0.8))
        # Over several minutes, so that the answer is merged from several windows.
        end = now - dice.randrange(240_000_000_000)
        status = 503 if n % every_nth_fails == 0 else 200
        span = tracer.start_span(
            method,
            kind=SpanKind.CLIENT,
            start_time=end - duration,
            attributes={
                "http.request.method": method,
                "url.template": template,
                "url.full": f"https://api.stripe.com{template}",
                "server.address": "api.stripe.com",
                "server.port": 443,
                "http.response.status_code": status,
            },
        )
        if status >= 400:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_time=end)
        sent.append(
            {
                "peer": "api.stripe.com",
                "endpoint": f"{method} {template}",
                "class": "server" if status >= 400 else "ok",
                "duration_ns": duration,
                "trace_id": f"{span.get_span_context().trace_id:032x}",
                "span_id": f"{span.get_span_context().span_id:016x}",
            }
        )

provider.shutdown()
print(json.dumps(sent))
