//! HTTP/2 without TLS, as gRPC speaks it: several streams at a time on one connection, frames as given.

use std::convert::Infallible;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::SOON;
use super::server::Answer;

type Frames = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

/// Runs what waits, in a test that is not async.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let within = async { tokio::time::timeout(SOON, work).await };
    runtime.expect("a runtime can be made").block_on(within).expect("an answer in time")
}

/// One connection; clones share it.
#[derive(Clone)]
pub struct Connection {
    address: String,
    sender: SendRequest<StreamBody<Frames>>,
}

/// A request whose head was sent.
pub struct Stream {
    frames: mpsc::UnboundedSender<Bytes>,
    answer: tokio::task::JoinHandle<Answer>,
}

impl Connection {
    pub async fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).await.expect("the port takes connections");
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("the port speaks HTTP/2");
        tokio::spawn(connection);
        Connection { address: address.to_owned(), sender }
    }

    /// Begins a POST; what follows is sent frame by frame.
    pub async fn begin(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        let (frames, receiver) = mpsc::unbounded_channel();
        let receiver = UnboundedReceiverStream::new(receiver).map(|bytes| Ok(Frame::data(bytes)));
        let mut request = Request::post(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = StreamBody::new(Box::pin(receiver) as Frames);
        let request = request.body(body).expect("a request");
        let mut sender = self.sender.clone();
        sender.ready().await.expect("the connection is open");
        let response = sender.send_request(request);
        let answer = tokio::spawn(async {
            let response = response.await.expect("an answer");
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("the whole answer");
            // A client of gRPC reads its status from either place.
            let mut headers = head.headers;
            headers.extend(body.trailers().cloned().unwrap_or_default());
            Answer { status: head.status.as_u16(), headers, body: body.to_bytes().to_vec() }
        });
        Stream { frames, answer }
    }

    /// A whole POST, one DATA frame for each part of the body.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[&[u8]]) -> Answer {
        let stream = self.begin(path, headers).await;
        body.iter().for_each(|part| stream.send(part));
        stream.finish().await
    }
}

impl Stream {
    pub fn send(&self, part: &[u8]) {
        // A server that has answered reads no more.
        let _ = self.frames.send(Bytes::copy_from_slice(part));
    }

    /// Ends the body and waits for the answer.
    pub async fn finish(self) -> Answer {
        drop(self.frames);
        self.answer.await.expect("an answer")
    }

    /// Waits for an answer that comes before the body's end.
    pub async fn answered(self) -> Answer {
        self.answer.await.expect("an answer")
    }
}
