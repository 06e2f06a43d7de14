//! Bodies: collected within bounds, and decompressed within bounds.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;

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

/// How long the rest of a body that is refused for now is read, so that its sender sees the answer.
const BUSY: Duration = Duration::from_millis(500);

/// Decompresses at most `limit` bytes. An empty body is empty in every encoding.
pub fn decompress(encoding: Encoding, body: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, BodyError> {
    let corrupt = |error| BodyError::Corrupt(encoding.name(), error);
    let plain = match encoding {
        _ if body.is_empty() => return Ok(Cow::Borrowed(body)),
        Encoding::Identity => {
            let fits = body.len() <= limit;
            return if fits { Ok(Cow::Borrowed(body)) } else { Err(BodyError::TooLarge(limit)) };
        }
        Encoding::Gzip => read(flate2::read::MultiGzDecoder::new(body), body.len(), limit),
        Encoding::Deflate => read(flate2::read::ZlibDecoder::new(body), body.len(), limit),
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(corrupt)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(corrupt)?;
            read(decoder, body.len(), limit)
        }
    };
    plain.map_err(corrupt)?.map(Cow::Owned).ok_or(BodyError::TooLarge(limit))
}

/// None when there is more than `limit`.
fn read(from: impl Read, compressed: usize, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut plain = Vec::with_capacity(compressed.saturating_mul(4).min(limit).min(1 << 20));
    from.take((limit as u64).saturating_add(1)).read_to_end(&mut plain)?;
    Ok((plain.len() <= limit).then_some(plain))
}

/// Reads a whole body of at most `limit` bytes, which count against the budget while `Held` lives.
pub async fn collect(
    mut body: Body,
    budget: &Budget,
    sender: Sender,
    limit: usize,
    timeout: Duration,
) -> Result<(Bytes, Held), Refusal> {
    let reading = async {
        let mut held = budget.begin(sender)?;
        Ok((read_all(&mut body, &mut held, limit).await?, held))
    };
    let result = tokio::time::timeout(timeout, reading).await.unwrap_or(Err(Refusal::Slow(timeout)));
    let patience = match &result {
        Err(Refusal::TooLarge(_)) => timeout,
        Err(Refusal::Busy) => BUSY,
        _ => return result,
    };
    // However this ends, the answer stays: a body that is too large comes no smaller the next time.
    let _ = tokio::time::timeout(patience, drain(&mut body, limit)).await;
    result
}

async fn read_all(body: &mut Body, held: &mut Held, limit: usize) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::TooLarge(limit));
    }
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if all.len() + data.len() > limit {
            return Err(Refusal::TooLarge(limit));
        }
        held.hold(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// Reads on without keeping anything: a client that is still sending when the connection closes never sees the
/// answer, and would send the same body again and again.
async fn drain(body: &mut Body, limit: usize) {
    let mut left = limit.saturating_mul(4);
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            break;
        }
    }
}
