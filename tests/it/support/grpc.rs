//! OTLP over gRPC by hand: one connection, one call.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Exports an encoded ExportTraceServiceRequest, gzip'ed or not, and gives the gRPC status.
pub fn export_traces(address: &str, message: &[u8], gzip: bool) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(call(address, message, gzip))
}

async fn call(address: &str, message: &[u8], gzip: bool) -> i32 {
    let message = if gzip { crate::once::gzip(message, 6) } else { message.to_vec() };
    let length = u32::try_from(message.len()).expect("it is small").to_be_bytes();
    let frame = [&[u8::from(gzip)][..], &length, &message].concat();
    let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{address}{TRACES}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if gzip {
        request = request.header("grpc-encoding", "gzip");
    }
    let request = request.body(Full::new(Bytes::from(frame))).expect("a request can be made");
    let answer = sender.send_request(request).await.expect("an answer");
    let in_head = answer.headers().get("grpc-status").cloned();
    let body = answer.into_body().collect().await.expect("a whole answer");
    let status = in_head.or_else(|| body.trailers().and_then(|all| all.get("grpc-status").cloned()));
    let status = status.expect("a gRPC status");
    status.to_str().expect("a number").parse().expect("a number")
}
