"""A small program that knows nothing of OpenTelemetry but is run under `opentelemetry-instrument`.

It calls a server of its own with `requests`. To print what was sent, it looks over the exporter's shoulder.
"""

import http.server
import json
import threading

import requests
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor


class Shoulder(SpanProcessor):
    """Remembers every span that ends."""

    def __init__(self):
        self.ended = []

    def on_end(self, span):
        self.ended.append(span)


class Vendor(http.server.BaseHTTPRequestHandler):
    """Answers 503 to every order whose number ends in 7."""

    def do_GET(self):
        self.send_response(503 if self.path.split("?")[0].endswith("7") else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET

    def log_message(self, *_):
        pass


shoulder = Shoulder()
trace.get_tracer_provider().add_span_processor(shoulder)
vendor = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
threading.Thread(target=vendor.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{vendor.server_port}"

for number in range(1000, 1087):
    requests.get(f"{base}/v1/orders/{number}?expand=lines", timeout=10)
for _ in range(21):
    requests.post(f"{base}/v1/notes", json={}, timeout=10)
vendor.shutdown()
trace.get_tracer_provider().force_flush()

sent = []
for span in shoulder.ended:
    said = dict(span.attributes)
    method = said.get("http.request.method") or said["http.method"]
    status = said.get("http.response.status_code") or said["http.status_code"]
    url = said.get("url.full") or said["http.url"]
    sent.append(
        {
            "peer": "127.0.0.1",
            "endpoint": f"{method} /v1/orders/{{id}}" if "/orders/" in url else f"{method} /v1/notes",
            "class": "server" if status >= 500 else "ok",
            "duration_ns": span.end_time - span.start_time,
            "trace_id": f"{span.context.trace_id:032x}",
            "span_id": f"{span.context.span_id:016x}",
        }
    )
print(json.dumps(sent))
