//! Both ports over real sockets. The helpers are here, the tests in the files.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::intake::{Decoder, Intake, Taken};
use super::keys::Keys;
use crate::clock::Clock;
use crate::decode;
use crate::inbox::{self, Inbox};
use crate::world::World;

mod grpc;
mod http_port;
mod keys;
mod listening;
mod refusing;
mod reporting;
mod tls;

pub(super) const JSON: &str = "application/json";
pub(super) const PROTOBUF: &str = "application/x-protobuf";

pub(super) struct Setup {
    pub(super) settings: Settings,
    pub(super) max_inbox: u64,
    pub(super) decoder: Decoder,
    pub(super) clock: Clock,
    pub(super) keys: Option<Arc<Keys>>,
}

impl Default for Setup {
    fn default() -> Self {
        let clock: Clock = Arc::new(|| 1_800_000_000_000_000_000);
        Setup {
            settings: Settings::default(),
            max_inbox: 1 << 30,
            decoder: decode::record,
            clock,
            keys: None,
        }
    }
}

impl Setup {
    pub(super) async fn start(self) -> Server {
        let folder = TempDir::new().unwrap();
        let (deliver, delivered) = mpsc::channel(1000);
        let inbox_settings = inbox::Settings {
            max_bytes: self.max_inbox,
            ..inbox::Settings::new(folder.path().join("inbox"))
        };
        let (inbox, _) = Inbox::open(inbox_settings, &World::real(), deliver, 0).unwrap();
        let limits = decode::Limits::default();
        let intake = Intake::new(inbox.clone(), Arc::default(), limits, self.settings, self.clock);
        let intake = intake.with_decoder(self.decoder);
        let keys =
            self.keys.unwrap_or_else(|| Arc::new(Keys::new(Default::default(), Arc::default(), false)));
        let intake = Arc::new(intake.with_keys(keys.clone()));
        let stop = CancellationToken::new();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = (http.local_addr().unwrap(), grpc.local_addr().unwrap());
        tokio::spawn(super::http::serve_http(http, Arc::clone(&intake), stop.clone()));
        tokio::spawn(super::grpc::serve_grpc(grpc, Arc::clone(&intake), stop.clone()));
        Server { http: addresses.0, grpc: addresses.1, intake, keys, inbox, delivered, folder, stop }
    }
}

pub(super) struct Server {
    pub(super) http: SocketAddr,
    pub(super) grpc: SocketAddr,
    pub(super) intake: Arc<Intake>,
    pub(super) keys: Arc<Keys>,
    pub(super) inbox: Inbox<Taken>,
    pub(super) delivered: mpsc::Receiver<(u64, Taken)>,
    pub(super) folder: TempDir,
    pub(super) stop: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Server {
    pub(super) async fn start() -> Server {
        Setup::default().start().await
    }

    /// A POST to the HTTP port.
    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        self.request(Method::POST, path, headers, body).await
    }

    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let stream = TcpStream::connect(self.http).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", self.http.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        Answer::of(response).await
    }

    /// A unary call to the gRPC port, framed as given.
    pub(super) async fn call(&self, path: &str, headers: &[(&str, &str)], frame: impl Into<Bytes>) -> Answer {
        http2(
            self.grpc,
            path,
            &[&[("content-type", "application/grpc"), ("te", "trailers")], headers].concat(),
            frame,
        )
        .await
    }

    /// The value of a counter.
    pub(super) fn count(&self, name: &str) -> u64 {
        let all = self.intake.counters().snapshot();
        all.iter().find(|(counter, _)| counter == name).unwrap_or_else(|| panic!("no counter {name}")).1
    }

    /// What a next start would replay.
    pub(super) fn kept(&self) -> Vec<inbox::record::Record> {
        let (deliver, _delivered) = mpsc::channel::<(u64, ())>(1);
        let settings = inbox::Settings::new(self.folder.path().join("inbox"));
        let (_, replay) = Inbox::open(settings, &World::real(), deliver, 0).unwrap();
        replay.map(|item| item.unwrap().1).collect()
    }
}

pub(super) async fn http2(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(Method::POST).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap()).await
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl Answer {
    async fn of(response: http::Response<hyper::body::Incoming>) -> Answer {
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(Duration::from_secs(20), body.collect()).await.unwrap().unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some(JSON));
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A request with one span, as a client would send it in protobuf.
pub(super) fn one_span() -> Vec<u8> {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET".to_owned(),
        kind: 3,
        start_time_unix_nano: 1_800_000_000_000_000_000,
        end_time_unix_nano: 1_800_000_000_100_000_000,
        ..Span::default()
    };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

/// google.rpc.Status, as its definition has it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// google.rpc.RetryInfo with its Duration.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(super) delay: Option<Delay>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Delay {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

/// A decoder that takes one record and rejects two of each body.
pub(super) fn picky(
    path: &str,
    content_type: &str,
    body: &[u8],
    received_at: i64,
    rules: &Arc<crate::signals::observe::Rules>,
    limits: &decode::Limits,
) -> Result<decode::Decoded, decode::Malformed> {
    let mut decoded = decode::record(path, content_type, body, received_at, rules, limits)?;
    decoded.batch.records = 1;
    decoded.rejected = decode::Rejected { count: 2, outside: 0, message: "two ids are all zero".to_owned() };
    Ok(decoded)
}

/// A decoder with a defect.
pub(super) fn broken(
    _: &str,
    _: &str,
    _: &[u8],
    _: i64,
    _: &Arc<crate::signals::observe::Rules>,
    _: &decode::Limits,
) -> Result<decode::Decoded, decode::Malformed> {
    panic!("the decoder is broken on purpose")
}
