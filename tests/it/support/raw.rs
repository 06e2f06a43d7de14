//! HTTP/1.1 by hand, for tests in which the bytes matter.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::SOON;
use super::server::Answer;

/// One connection.
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    pub fn connect(address: &str) -> Raw {
        let stream = TcpStream::connect(address).expect("the port takes connections");
        stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
        stream.set_write_timeout(Some(SOON)).expect("a timeout can be set");
        Raw { stream, read: Vec::new() }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Raw {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
        self
    }

    /// Sends no more, but reads on.
    pub fn end(&mut self) -> &mut Raw {
        self.stream.shutdown(std::net::Shutdown::Write).expect("the connection is open");
        self
    }

    /// The next answer, with the body that its content-length says.
    pub fn answer(&mut self) -> Answer {
        let (status, headers) = self.head();
        let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let length: usize = if status < 200 { 0 } else { length.expect("a content-length") };
        while self.read.len() < length {
            assert!(self.more(), "the body ends early: {:?}", String::from_utf8_lossy(&self.read));
        }
        Answer { status, headers, body: self.read.drain(..length).collect() }
    }

    fn head(&mut self) -> (u16, HeaderMap) {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more(), "the head ends early: {:?}", String::from_utf8_lossy(&self.read));
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).expect("a head is text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let pairs = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a header's name");
            (name, HeaderValue::from_str(value.trim()).expect("a header's value"))
        });
        (status.expect("a status"), pairs.collect())
    }

    /// Whether the server closes the connection, without another byte.
    pub fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.more()
    }

    /// False at the end.
    fn more(&mut self) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(read) => {
                self.read.extend_from_slice(&chunk[..read]);
                read > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}"),
        }
    }
}
