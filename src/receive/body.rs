//! Bodies: collected within bounds, and decompressed within bounds.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Read};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::Body as _;
use http_body_util::BodyExt;

use super::Settings;
use super::buffers::BODIES;
use super::connections::Sender;
use super::limits::{Budget, Held};
use super::refusal::Refusal;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// gzip, of any number of members.
    Gzip,
    /// What HTTP calls deflate: zlib.
    Deflate,
    /// Zstandard.
    Zstd,
}

impl Encoding {
    /// From a header's value; none for one that is not read here.
    pub fn parse(name: &str) -> Option<Encoding> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Encoding::Identity),
            "gzip" | "x-gzip" => Some(Encoding::Gzip),
            "deflate" => Some(Encoding::Deflate),
            "zstd" => Some(Encoding::Zstd),
            _ => None,
        }
    }

    /// Its name; empty for identity.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Identity => "",
            Encoding::Gzip => "gzip",
            Encoding::Deflate => "deflate",
            Encoding::Zstd => "zstd",
        }
    }
}

/// Why a body does not decompress.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It would be larger than the limit.
    #[error("the decompressed body is larger than {0} bytes")]
    TooLarge(usize),
    /// It is not what its encoding says.
    #[error("The body does not decompress as {0}: {1}.")]
    Corrupt(&'static str, io::Error),
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(limit) => Refusal::TooLarge(limit),
            BodyError::Corrupt(..) => Refusal::Malformed(error.to_string()),
        }
    }
}

/// Zstandard's window, as RFC 9659 bounds it for HTTP: 8 MiB. A larger one is memory that a sender chooses.
const ZSTD_WINDOW_LOG: u32 = 23;

/// What a body may grow to before it is suspected of growing for ever …
const USUAL: usize = 8 << 20;
/// … or so many times its own size: telemetry compresses to a tenth or so.
const RATIO: usize = 16;

/// Decompresses at most `limit` bytes. An empty body is empty in every encoding.
pub fn decompress(encoding: Encoding, body: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, BodyError> {
    let corrupt = |error| BodyError::Corrupt(encoding.name(), error);
    let plain = match encoding {
        _ if body.is_empty() => return Ok(Cow::Borrowed(body)),
        Encoding::Identity => {
            let fits = body.len() <= limit;
            return if fits { Ok(Cow::Borrowed(body)) } else { Err(BodyError::TooLarge(limit)) };
        }
        Encoding::Gzip => read(|| Ok(flate2::read::MultiGzDecoder::new(body)), body.len(), limit),
        Encoding::Deflate => read(|| Ok(flate2::read::ZlibDecoder::new(body)), body.len(), limit),
        Encoding::Zstd => {
            let open = || {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Ok(decoder)
            };
            read(open, body.len(), limit)
        }
    };
    plain.map_err(corrupt)?.map(Cow::Owned).ok_or(BodyError::TooLarge(limit))
}

/// None when there is more than `limit`. A body that grows out of all proportion is counted before it is kept, so that
/// a bomb costs time and no memory.
fn read<R: Read>(
    open: impl Fn() -> io::Result<R>,
    compressed: usize,
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    let usual = compressed.saturating_mul(RATIO).max(USUAL).min(limit);
    let mut plain = Vec::with_capacity(compressed.saturating_mul(4).min(usual).min(1 << 20));
    open()?.take(one_more(usual)).read_to_end(&mut plain)?;
    if plain.len() <= usual {
        return Ok(Some(plain));
    }
    drop(plain);
    let length = io::copy(&mut open()?.take(one_more(limit)), &mut io::sink())?;
    if length > limit as u64 {
        return Ok(None);
    }
    let mut plain = Vec::with_capacity(length as usize);
    open()?.read_to_end(&mut plain)?;
    Ok(Some(plain))
}

fn one_more(bytes: usize) -> u64 {
    (bytes as u64).saturating_add(1)
}

/// A body as it comes in.
pub struct Arriving {
    body: Body,
    /// The sender waits for `100 Continue`, which goes out when the body is first asked for.
    waits: bool,
}

impl Arriving {
    /// The body of a request with these headers.
    pub fn new(headers: &HeaderMap, body: Body) -> Arriving {
        let waits =
            headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Arriving { body, waits }
    }

    /// Reads all of it, at most `limit` bytes, which count against the budget while `Held` lives.
    pub async fn collect(
        &mut self,
        budget: &Budget,
        sender: Sender,
        limit: usize,
        timeout: Duration,
    ) -> Result<(Bytes, Held), Refusal> {
        tokio::time::timeout(timeout, self.read_all(budget, sender, limit))
            .await
            .unwrap_or(Err(Refusal::Slow(timeout)))
    }

    async fn read_all(
        &mut self,
        budget: &Budget,
        sender: Sender,
        limit: usize,
    ) -> Result<(Bytes, Held), Refusal> {
        if self.body.size_hint().lower() > limit as u64 {
            return Err(Refusal::TooLarge(limit));
        }
        let mut held = budget.begin(sender)?;
        self.waits = false;
        let expected = usize::try_from(self.body.size_hint().lower()).unwrap_or(0);
        let mut all = BODIES.take(expected);
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if all.bytes.len() + data.len() > limit {
                return Err(Refusal::TooLarge(limit));
            }
            held.hold(data.len())?;
            all.bytes.extend_from_slice(&data);
        }
        Ok((all.into_bytes(), held))
    }

    /// Reads the rest behind the answer, without keeping anything: a client that is still sending when the
    /// connection closes is reset, never sees the answer, and sends the same again.
    pub fn discard_after(mut self, refusal: &Refusal, settings: &Settings) {
        let hopeless = matches!(refusal, Refusal::Slow(_) | Refusal::Broken(_));
        if hopeless || self.waits || self.body.is_end_stream() {
            return;
        }
        let (mut left, timeout) = (settings.max_body.saturating_mul(4), settings.body_timeout);
        tokio::spawn(tokio::time::timeout(timeout, async move {
            while let Some(Ok(frame)) = self.body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    break;
                }
            }
        }));
    }
}

/// A connection that broke may bring the whole body the next time; chunks that are none will be none again.
fn broken(error: &axum::Error) -> Refusal {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut kind = None;
    while let Some(error) = cause {
        kind = kind.or(error.downcast_ref().map(io::Error::kind));
        cause = error.source();
    }
    match kind {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            Refusal::Malformed("The chunks of the body are not what HTTP asks for.".to_owned())
        }
        _ => Refusal::Broken(error.to_string()),
    }
}
