//! OTLP trace requests, encoded once. Ids, times and the numbers in URLs are written into place for every send, so
//! that no request equals another and nothing is encoded while the clock runs.

use prost::Message;

/// Spans of one request.
pub const SPANS: usize = 500;
/// Spans of one trace.
const TRACE: usize = 5;
/// Digits of the number in a URL.
const DIGITS: usize = 8;

/// How many services and endpoints of each there are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub services: usize,
    pub endpoints: usize,
}

/// 20 services with 10 endpoints each.
pub const USUAL: Shape = Shape { services: 20, endpoints: 10 };

/// A request of one service, and where in it things are written.
#[derive(Clone)]
pub struct Body {
    pub bytes: Vec<u8>,
    spans: Vec<Places>,
}

#[derive(Clone)]
struct Places {
    trace: usize,
    span: usize,
    /// None for the root of a trace.
    parent: Option<usize>,
    start: usize,
    end: usize,
    url: usize,
    duration: u64,
}

impl Body {
    /// The request of service `service`; `seed` chooses endpoints, outcomes and durations.
    pub fn new(shape: Shape, service: usize, seed: u64) -> Body {
        let mut dice = Dice(seed ^ 0x5eed);
        let mut body = Body { bytes: Vec::with_capacity(300 << 10), spans: Vec::with_capacity(SPANS) };
        let mut spans = Vec::new();
        for at in 0..SPANS {
            body.span(&mut spans, at, shape, service, &mut dice);
        }
        let mut scope = Vec::new();
        text(&mut scope, 1, "opentelemetry.instrumentation.requests");
        text(&mut scope, 2, "0.66b2");
        let mut scope_spans = Vec::new();
        bytes(&mut scope_spans, 1, &scope);
        let before_spans = scope_spans.len();
        scope_spans.extend_from_slice(&spans);
        let mut resource_spans = Vec::new();
        bytes(&mut resource_spans, 1, &resource(service));
        head(&mut resource_spans, 2, scope_spans.len());
        let before_scope = resource_spans.len();
        resource_spans.extend_from_slice(&scope_spans);
        head(&mut body.bytes, 1, resource_spans.len());
        let shift = body.bytes.len() + before_scope + before_spans;
        body.bytes.extend_from_slice(&resource_spans);
        for places in &mut body.spans {
            for at in
                [&mut places.trace, &mut places.span, &mut places.start, &mut places.end, &mut places.url]
            {
                *at += shift;
            }
            places.parent = places.parent.map(|at| at + shift);
        }
        body
    }

    fn span(&mut self, spans: &mut Vec<u8>, at: usize, shape: Shape, service: usize, dice: &mut Dice) {
        let endpoint = dice.below(shape.endpoints as u64);
        let fails = dice.below(50) == 0;
        let status: i64 = if fails { 503 } else { 200 };
        let magnitude = 14 + dice.below(14);
        let duration = 2_000_000 + dice.below(1 << magnitude) * 1_000;
        let host = format!("api-{service:02}.accounting.example.com");
        let (method, path) =
            (["GET", "POST"][(endpoint % 2) as usize], format!("/v1/organisations/resource-{endpoint}"));

        let mut span = Vec::with_capacity(600);
        head(&mut span, 1, 16);
        let trace = span.len();
        span.extend_from_slice(&[0; 16]);
        head(&mut span, 2, 8);
        let id = span.len();
        span.extend_from_slice(&[0; 8]);
        let parent = (!at.is_multiple_of(TRACE)).then(|| {
            head(&mut span, 4, 8);
            span.extend_from_slice(&[0; 8]);
            span.len() - 8
        });
        text(&mut span, 5, method);
        number(&mut span, 6, 3);
        let start = fixed(&mut span, 7);
        let end = fixed(&mut span, 8);
        attribute(&mut span, "http.request.method", Value::Text(method));
        let url = format!("https://{host}{path}/{:0DIGITS$}", 0);
        attribute(&mut span, "url.full", Value::Text(&url));
        let url = span.len() - DIGITS;
        attribute(&mut span, "url.template", Value::Text(&format!("{path}/{{id}}")));
        attribute(&mut span, "server.address", Value::Text(&host));
        attribute(&mut span, "server.port", Value::Int(443));
        attribute(&mut span, "http.response.status_code", Value::Int(status));
        attribute(&mut span, "network.protocol.version", Value::Text("1.1"));
        attribute(
            &mut span,
            "integration.connection.id",
            Value::Text(&format!("acct-{:04}", dice.below(50))),
        );
        attribute(&mut span, "integration.records.count", Value::Int(1 + dice.below(100) as i64));
        if fails {
            attribute(&mut span, "error.type", Value::Text("503"));
            bytes(&mut span, 11, &exception(&host));
            bytes(&mut span, 15, &[0x18, 2]);
        } else {
            attribute(&mut span, "user_agent.original", Value::Text("python-requests/2.32.3 (integrations)"));
        }
        head(spans, 2, span.len());
        let shift = spans.len();
        spans.extend_from_slice(&span);
        self.spans.push(Places {
            trace: trace + shift,
            span: id + shift,
            parent: parent.map(|at| at + shift),
            start: start + shift,
            end: end + shift,
            url: url + shift,
            duration,
        });
    }

    /// Makes it request number `n`, with spans that ended in the second before `now`.
    pub fn stamp(&mut self, n: u64, now: u64) {
        let (mut trace, mut root) = ([0; 16], [0; 8]);
        for (at, places) in self.spans.iter().enumerate() {
            let id = mix(n.wrapping_mul(SPANS as u64) + at as u64).to_le_bytes();
            if places.parent.is_none() {
                root = id;
                trace[..8].copy_from_slice(&mix(!u64::from_le_bytes(id)).to_le_bytes());
                trace[8..].copy_from_slice(&id);
            }
            let end = now - (SPANS - at) as u64 * 2_000_000;
            let mut put = |at: usize, bytes: &[u8]| self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
            put(places.trace, &trace);
            put(places.span, &id);
            if let Some(parent) = places.parent {
                put(parent, &root);
            }
            put(places.start, &(end - places.duration).to_le_bytes());
            put(places.end, &end.to_le_bytes());
            let mut number = u64::from_le_bytes(id) % 10u64.pow(DIGITS as u32);
            let mut digits = [b'0'; DIGITS];
            for digit in digits.iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
            put(places.url, &digits);
        }
    }

    /// Whether the reference decoder reads it as what it is meant to be.
    pub fn check(&self) {
        let request = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest::decode(
            &self.bytes[..],
        )
        .expect("the body is a valid request");
        let spans = &request.resource_spans[0].scope_spans[0].spans;
        assert_eq!(spans.len(), SPANS);
        for (span, places) in spans.iter().zip(&self.spans) {
            assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, places.duration);
            assert!(span.attributes.len() == 10 && span.span_id != [0; 8] && span.trace_id.len() == 16);
        }
    }
}

fn resource(service: usize) -> Vec<u8> {
    let mut resource = Vec::new();
    for (key, value) in [
        ("service.name", format!("worker-{service:02}")),
        ("service.namespace", "integrations".into()),
        ("service.version", "2026.11.3".into()),
        ("service.instance.id", format!("worker-{service:02}-7f9c8d5b6-x2x{service:02}")),
        ("deployment.environment.name", "production".into()),
        ("telemetry.sdk.name", "opentelemetry".into()),
        ("telemetry.sdk.language", "python".into()),
        ("telemetry.sdk.version", "1.45.2".into()),
    ] {
        bytes(&mut resource, 1, &key_value(key, Value::Text(&value)));
    }
    resource
}

fn exception(host: &str) -> Vec<u8> {
    let mut event = Vec::new();
    text(&mut event, 2, "exception");
    let message = format!("503 Server Error: Service Unavailable for url: https://{host}/v1");
    bytes(&mut event, 3, &key_value("exception.type", Value::Text("requests.exceptions.HTTPError")));
    bytes(&mut event, 3, &key_value("exception.message", Value::Text(&message)));
    event
}

enum Value<'a> {
    Text(&'a str),
    Int(i64),
}

fn attribute(span: &mut Vec<u8>, key: &str, value: Value<'_>) {
    bytes(span, 9, &key_value(key, value));
}

fn key_value(key: &str, value: Value<'_>) -> Vec<u8> {
    let (mut pair, mut any) = (Vec::new(), Vec::new());
    match value {
        Value::Text(value) => text(&mut any, 1, value),
        Value::Int(value) => number(&mut any, 3, value as u64),
    }
    text(&mut pair, 1, key);
    bytes(&mut pair, 2, &any);
    pair
}

fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn head(into: &mut Vec<u8>, field: u8, length: usize) {
    into.push(field << 3 | 2);
    varint(into, length as u64);
}

fn bytes(into: &mut Vec<u8>, field: u8, value: &[u8]) {
    head(into, field, value.len());
    into.extend_from_slice(value);
}

fn text(into: &mut Vec<u8>, field: u8, value: &str) {
    bytes(into, field, value.as_bytes());
}

fn number(into: &mut Vec<u8>, field: u8, value: u64) {
    into.push(field << 3);
    varint(into, value);
}

/// Room for a fixed64; where it is.
fn fixed(into: &mut Vec<u8>, field: u8) -> usize {
    into.push(field << 3 | 1);
    into.extend_from_slice(&[0; 8]);
    into.len() - 8
}

/// Splitmix64: a permutation, so that ids do not repeat.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0) % limit
    }
}
