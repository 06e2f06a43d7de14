//! Why a request is not taken. The sentences are what the sender reads.

use std::borrow::Cow;
use std::time::Duration;

use crate::decode::value::cut_text;
use crate::inbox;
use crate::signals::telemetry::Nanos;

/// Longest sentence of an answer, in bytes. It may quote a path or a header, and gRPC sends it in headers, of which
/// clients take 8 KiB.
const SENTENCE: usize = 1024;

/// What a sender is told to wait before it tries again: 1 to 3 s, by chance, so that those who were refused together
/// do not come back together. Exporters give up after 10 s in all, so it is short.
fn soon() -> Duration {
    Duration::from_secs(1 + u64::from(uuid::Uuid::new_v4().as_bytes().first().map_or(0, |byte| byte % 3)))
}

/// To the minute, UTC.
fn minute(at: &Nanos) -> String {
    chrono::DateTime::from_timestamp_nanos(*at).format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such path.
    #[error(
        "There is nothing at {0}. OTLP over HTTP goes to /v1/traces, /v1/metrics or /v1/logs, a report to \
         /report/{{integration}}."
    )]
    NoSuchPath(String),
    /// There is no such gRPC method.
    #[error(
        "There is no method {0}. This port has Export of the OpenTelemetry TraceService, MetricsService and \
         LogsService."
    )]
    NoSuchMethod(String),
    /// The path takes POST only.
    #[error("This path takes POST, not {0}.")]
    NotPost(String),
    /// The body is of a type that is not read here.
    #[error("The content type \"{0}\" is not read here; send {1}.")]
    ContentType(String, &'static str),
    /// The body is compressed in a way that is not read here.
    #[error("The encoding \"{0}\" is not read here; send gzip, deflate, zstd or identity.")]
    ContentEncoding(String),
    /// A page of a web origin that is not allowed.
    #[error("Pages of {0} may not send here; the origins that may are configured on the server.")]
    Origin(String),
    /// There is no key in the request.
    #[error(
        "A key is needed to send here. Send the header authorization: Bearer KEY; for an OpenTelemetry SDK set \
         OTEL_EXPORTER_OTLP_HEADERS=\"authorization=Bearer%20KEY\". `seamwatch keys add` makes one."
    )]
    NoKey,
    /// What is in its place is none; a sentence.
    #[error("The key that was sent is not known here. {0} `seamwatch keys list` shows those that are.")]
    UnknownKey(&'static str),
    /// It has ended.
    #[error("The key \"{0}\" expired at {when}. Send with its successor; `seamwatch keys add` makes one.", when = minute(.1))]
    ExpiredKey(String, Nanos),
    /// It was revoked.
    #[error("The key \"{0}\" was revoked at {when}. Send with another; `seamwatch keys add` makes one.", when = minute(.1))]
    RevokedKey(String, Nanos),
    /// The keys cannot be read now.
    #[error("The server cannot read its keys now, and this one may be new. Send the request again.")]
    KeysUnread,
    /// Nothing of the request is within what its key may send; a sentence.
    #[error("{0}.")]
    Outside(String),
    /// More comes with a key than it may send in a time.
    #[error("More comes with the key \"{0}\" than its limit allows. Send again in {wait} s, and larger batches less often.", wait = .1.as_secs() + 1)]
    TooFast(String, Duration),
    /// The body cannot be read; a sentence.
    #[error("{0}")]
    Malformed(String),
    /// The body is larger than the limit, in bytes.
    #[error("The body is larger than {0} bytes, compressed or decompressed. Send smaller batches.")]
    TooLarge(usize),
    /// Too many bytes are in flight.
    #[error("The server is busy with other requests. Send this one again.")]
    Busy,
    /// The body did not arrive in time.
    #[error("The body did not arrive within {} s. Send the request again.", .0.as_secs())]
    Slow(Duration),
    /// The connection broke in the body.
    #[error("The body ended early: {0}. Send the request again.")]
    Broken(String),
    /// The inbox is full.
    #[error("The server's inbox is full. Send this request again later.")]
    Full,
    /// The disk did not take it.
    #[error("The server could not write to its disk. Send this request again later.")]
    Disk,
    /// The server stops.
    #[error("The server is stopping. Send this request again.")]
    Stopping,
    /// A defect of ours.
    #[error("The server failed on this request, and its log says where. Send it again.")]
    Panicked,
}

/// All that [`Refusal::reason`] can say, in the order of the counters.
pub const REASONS: [&str; 22] = [
    "no_such_path",
    "no_such_method",
    "not_post",
    "content_type",
    "content_encoding",
    "origin",
    "malformed",
    "too_large",
    "busy",
    "slow",
    "broken",
    "inbox_full",
    "disk",
    "stopping",
    "panicked",
    "no_key",
    "unknown_key",
    "expired_key",
    "revoked_key",
    "keys_unread",
    "outside_scope",
    "too_fast",
];

impl Refusal {
    /// Place in [`REASONS`].
    pub(super) fn index(&self) -> usize {
        match self {
            Refusal::NoSuchPath(_) => 0,
            Refusal::NoSuchMethod(_) => 1,
            Refusal::NotPost(_) => 2,
            Refusal::ContentType(..) => 3,
            Refusal::ContentEncoding(_) => 4,
            Refusal::Origin(_) => 5,
            Refusal::Malformed(_) => 6,
            Refusal::TooLarge(_) => 7,
            Refusal::Busy => 8,
            Refusal::Slow(_) => 9,
            Refusal::Broken(_) => 10,
            Refusal::Full => 11,
            Refusal::Disk => 12,
            Refusal::Stopping => 13,
            Refusal::Panicked => 14,
            Refusal::NoKey => 15,
            Refusal::UnknownKey(_) => 16,
            Refusal::ExpiredKey(..) => 17,
            Refusal::RevokedKey(..) => 18,
            Refusal::KeysUnread => 19,
            Refusal::Outside(_) => 20,
            Refusal::TooFast(..) => 21,
        }
    }

    /// When to send the request again; none = never, it would be refused again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::Busy
            | Refusal::Slow(_)
            | Refusal::Broken(_)
            | Refusal::Full
            | Refusal::Disk
            | Refusal::Stopping
            | Refusal::Panicked
            | Refusal::KeysUnread => Some(soon()),
            Refusal::TooFast(_, wait) => Some(Duration::from_secs(wait.as_secs()) + soon()),
            _ => None,
        }
    }

    /// What the sender reads.
    pub fn sentence(&self) -> String {
        cut_text(Cow::Owned(self.to_string()), SENTENCE).into_owned()
    }

    /// The counter's name.
    pub fn reason(&self) -> &'static str {
        REASONS.get(self.index()).copied().unwrap_or_default()
    }
}

impl From<inbox::Refused> for Refusal {
    /// The disk's own words stay in the log: they name paths of this machine.
    fn from(refused: inbox::Refused) -> Self {
        match refused {
            inbox::Refused::Full => Refusal::Full,
            inbox::Refused::Disk(_) => Refusal::Disk,
            inbox::Refused::Stopping => Refusal::Stopping,
        }
    }
}
