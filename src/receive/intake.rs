//! The way of a request, whatever its transport: decompress, decode, make durable, acknowledge.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::HeaderMap;

use crate::access::door;
use crate::clock::Clock;
use crate::decode::{self, Batch, Decoded, Malformed, Rejected};
use crate::inbox::Inbox;
use crate::inbox::record::Record;
use crate::signals::observe::Rules;
use crate::signals::telemetry::Nanos;

use super::Settings;
use super::auth::Pass;
use super::body::{self, Encoding};
use super::counters::{Accepted, Counters};
use super::keys::Keys;
use super::limits::{Budget, Held};
use super::refusal::Refusal;
use super::turns::{Turn, Turns};

/// Bytes of a body, as it arrives, that are decoded at once in any case …
const SMALL: usize = 4 << 10;
/// … and while few wait for their turn: a millisecond or two.
const MODERATE: usize = 512 << 10;

/// What a request brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
    /// A report of an integration of this name.
    Report(String),
}

impl Door {
    /// The path that the inbox keeps: the same for both transports, so that a body's hash and its replay are too.
    /// An integration's name is not percent-encoded in it.
    pub fn path(&self) -> String {
        match self {
            Door::Traces => "/v1/traces".to_owned(),
            Door::Metrics => "/v1/metrics".to_owned(),
            Door::Logs => "/v1/logs".to_owned(),
            Door::Report(integration) => format!("/report/{integration}"),
        }
    }

    /// What the JSON answer calls the count of rejected records.
    pub fn rejected_field(&self) -> &'static str {
        match self {
            Door::Traces => "rejectedSpans",
            Door::Metrics => "rejectedDataPoints",
            Door::Logs => "rejectedLogRecords",
            Door::Report(_) => "rejectedReports",
        }
    }

    /// Place among the counters: spans, points, logs, reports.
    pub(super) fn index(&self) -> usize {
        match self {
            Door::Traces => 0,
            Door::Metrics => 1,
            Door::Logs => 2,
            Door::Report(_) => 3,
        }
    }
}

/// A request whose body has arrived.
#[derive(Debug)]
pub struct Incoming {
    /// What it brings.
    pub door: Door,
    /// Media type without parameters; empty for none.
    pub content_type: &'static str,
    /// How the body is compressed.
    pub encoding: Encoding,
    /// As received.
    pub body: Bytes,
    /// The memory it was given.
    pub held: Held,
    /// Who sends it.
    pub pass: Pass,
}

/// A request that is on disk, on its way to be counted.
#[derive(Debug)]
pub struct Taken {
    /// What it came to.
    pub batch: Batch,
    /// Its memory, to be given back once it is counted.
    pub held: Held,
}

/// Reads a body: [`decode::record`], or what a test puts in its place.
pub type Decoder = fn(&str, &str, &[u8], Nanos, &Arc<Rules>, &decode::Limits) -> Result<Decoded, Malformed>;

/// Takes requests in.
pub struct Intake {
    inbox: Inbox<Taken>,
    keys: Arc<Keys>,
    limits: decode::Limits,
    settings: Settings,
    clock: Clock,
    counters: Arc<Counters>,
    budget: Budget,
    turns: Turns,
    decoder: Decoder,
}

impl Intake {
    /// An intake that puts into `inbox` what it takes, from everybody.
    pub fn new(
        inbox: Inbox<Taken>,
        rules: Arc<Rules>,
        limits: decode::Limits,
        settings: Settings,
        clock: Clock,
    ) -> Intake {
        let budget = Budget::new(settings.in_flight_bytes);
        let turns = Turns::new(std::thread::available_parallelism().map_or(1, usize::from));
        let counters = Arc::new(Counters::default());
        let keys = Arc::new(Keys::new(door::Door::default(), rules, false));
        Intake { inbox, keys, limits, settings, clock, counters, budget, turns, decoder: decode::record }
    }

    /// The same with another decoder.
    pub fn with_decoder(self, decoder: Decoder) -> Intake {
        Intake { decoder, ..self }
    }

    /// The same for those who have one of these keys, while the door is not open to all.
    pub fn with_keys(self, keys: Arc<Keys>) -> Intake {
        Intake { keys, ..self }
    }

    /// Lets a request in by its head, or says why not.
    pub fn admit(&self, headers: &HeaderMap) -> Result<Pass, Refusal> {
        self.keys.admit(headers, (self.clock)())
    }

    /// What came in, what was taken, what was not and why.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// The bounds of the doors.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The memory of all requests.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Returns when the request is durable, with what was rejected of it.
    ///
    /// Senders take turns at decoding.
    pub async fn accept(&self, incoming: Incoming) -> Result<Rejected, Refusal> {
        let Incoming { door, content_type, encoding, body, held, pass } = incoming;
        pass.arrived(body.len());
        let turn = self.turns.take(held.sender()).await.filter(|_| held.has_room()).ok_or(Refusal::Busy)?;
        let mut record = Record {
            received_at: (self.clock)(),
            key_id: 0,
            path: door.path(),
            content_type: content_type.to_owned(),
            content_encoding: encoding.name().to_owned(),
            body,
        };
        let rules = pass.rules(&self.keys).clone();
        let decoded = self.decode(turn, rules, encoding, record.clone()).await?;
        let outside = decoded.rejected.outside;
        pass.outside(outside);
        if outside > 0 && decoded.batch.records == 0 {
            return Err(Refusal::Outside(decoded.rejected.message));
        }
        held.sender().learn(&decoded.batch.observations);
        let accepted = Accepted::of(&door, &decoded);
        record.key_id = pass.mark(outside > 0);
        pass.brings(&decoded.batch.observations);
        let taken = Taken { held: held.of_batch(&decoded.batch), batch: decoded.batch };
        self.inbox.append(record, taken).await?;
        drop(held);
        self.counters.accepted(&door, &accepted);
        pass.taken(accepted.records());
        Ok(decoded.rejected)
    }
}

impl Intake {
    /// A body that takes longer to decode than it takes to hand over is decoded beside the runtime: its workers have
    /// sockets to look after, and would come to them only between one large body and the next. While few wait there is
    /// no next one, and handing over would wake two threads.
    async fn decode(
        &self,
        turn: Turn,
        rules: Arc<Rules>,
        encoding: Encoding,
        record: Record,
    ) -> Result<Decoded, Refusal> {
        let (decoder, max_body, limits) = (self.decoder, self.settings.max_body, self.limits);
        // What is compressed may be anything.
        let moderate = if encoding == Encoding::Identity { MODERATE } else { MODERATE / 16 };
        let length = record.body.len();
        let is_small = length <= SMALL || (length <= moderate && turn.is_calm());
        let work = move || {
            // Goes with the work: it goes on when the sender has gone and nobody waits for it.
            let _turn = turn;
            let Record { path, content_type, body, received_at, .. } = &record;
            let plain = body::decompress(encoding, body, max_body)?;
            decoder(path, content_type, &plain, *received_at, &rules, &limits)
                .map_err(|Malformed(sentence)| Refusal::Malformed(sentence))
        };
        let decoded = if is_small {
            caught(work)
        } else {
            tokio::task::spawn_blocking(move || caught(work)).await.unwrap_or_default()
        };
        decoded.unwrap_or(Err(Refusal::Panicked))
    }
}

/// Decodes a record of the inbox again. No limit on its size holds here: it was acknowledged under the limit of its
/// day. An error is a sentence; such a record can only be left out.
pub fn replay(record: &Record, rules: &Arc<Rules>, limits: &decode::Limits) -> Result<Decoded, String> {
    let encoding = Encoding::parse(&record.content_encoding)
        .ok_or_else(|| format!("The encoding \"{}\" is not known.", record.content_encoding))?;
    caught(|| {
        let plain =
            body::decompress(encoding, &record.body, usize::MAX).map_err(|error| error.to_string())?;
        decode::record(&record.path, &record.content_type, &plain, record.received_at, rules, limits)
            .map_err(|Malformed(sentence)| sentence)
    })
    .unwrap_or_else(|| Err("Decoding it panicked.".to_owned()))
}

/// Reads a body; none when that panicked: one body must not take a worker, or a start, down with it.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    // Sound, because all that the work can leave half done is dropped with it.
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Runs what answers a request. A panic in it is answered as retryable, where the connection with all its other
/// requests would end.
pub(super) async fn guarded<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    // Sound, because all that the work can leave half done is dropped with it.
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Err(Refusal::Panicked))
}
