//! Who sends: the key in a request's head, before anything of its body is read.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName};

use crate::access::key::Verdict;
use crate::access::secret::{Kind, Secret};
use crate::decode::name;
use crate::decode::value::cut_text;
use crate::signals::observation::Observations;
use crate::signals::observe::Rules;
use crate::signals::telemetry::Nanos;

use super::keys::{Keys, Known, mark};
use super::refusal::Refusal;

/// The other header in which keys are customary, for what cannot set `authorization`.
pub const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// Longest user agent that is remembered, in bytes.
const AGENT: usize = 80;

/// Limits on rates need a clock that does not go back.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Leave to send, and who it was given to.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    known: Option<Arc<Known>>,
    flagged: bool,
}

impl Keys {
    /// Lets a request in, or says why not.
    pub fn admit(&self, headers: &HeaderMap, now: Nanos) -> Result<Pass, Refusal> {
        if self.door.is_open() {
            return Ok(Pass::default());
        }
        let Some(sent) = sent(headers) else {
            if self.without {
                return Ok(Pass::default());
            }
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::NoKey);
        };
        let read = Secret::read(&sent);
        let secret = match &read {
            Some((Kind::IngestKey, secret)) => Some(secret),
            _ => None,
        };
        let Some(known) = secret.and_then(|secret| self.find(&secret.hash())) else {
            if secret.is_some() && self.is_unread() {
                return Err(Refusal::KeysUnread);
            }
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::UnknownKey(match read {
                Some((Kind::IngestKey, _)) => "No key of this server is it; it may be another server's.",
                Some(_) => {
                    "It opens the API or the pages, which are not sent to; telemetry takes an ingest key."
                }
                None => {
                    "It is no ingest key: those begin with sw_ing_, and one wrong or missing letter is seen."
                }
            }));
        };
        let used = &known.used;
        used.at(now);
        let verdict = known.key.verdict(now);
        let flagged = matches!(verdict, Verdict::Flagged(_));
        if verdict != Verdict::Good {
            used.came(&agent(headers), now, flagged);
        }
        let name = || known.key.name.clone();
        match verdict {
            Verdict::Good | Verdict::Flagged(_) => {}
            Verdict::Expired(at) => {
                used.refused.fetch_add(1, Ordering::Relaxed);
                return Err(Refusal::ExpiredKey(name(), at));
            }
            Verdict::Revoked(at) => {
                used.refused.fetch_add(1, Ordering::Relaxed);
                return Err(Refusal::RevokedKey(name(), at));
            }
        }
        within_rates(&known).inspect_err(|_| {
            used.limited.fetch_add(1, Ordering::Relaxed);
        })?;
        Ok(Pass { known: Some(known), flagged })
    }
}

impl Pass {
    /// The key's number; none where nobody needed one.
    pub fn id(&self) -> Option<u64> {
        self.known.as_ref().map(|known| known.key.id)
    }

    /// What the request is read by.
    pub(super) fn rules<'p>(&'p self, keys: &'p Keys) -> &'p Arc<Rules> {
        self.known.as_ref().map_or(keys.rules(), |known| known.rules())
    }

    /// What the inbox keeps of it, where all or only a part of the request was within its scope.
    pub(super) fn mark(&self, partly: bool) -> u64 {
        mark(self.id().unwrap_or_default(), partly)
    }

    /// The body has come.
    pub(super) fn arrived(&self, bytes: usize) {
        if let Some(known) = &self.known
            && let Some(rate) = known.key.byte_rate
        {
            known.used.byte_rate.take(bytes as u64, rate, elapsed());
        }
    }

    /// Records were refused that it may not send.
    pub(super) fn outside(&self, records: u64) {
        if let Some(known) = &self.known
            && records > 0
        {
            known.used.was_outside(records);
        }
    }

    /// What the request turned out to bring; remembered where it is flagged.
    pub(super) fn brings(&self, seen: &Observations) {
        if let Some(known) = self.known.as_ref().filter(|_| self.flagged) {
            known.used.brought(seen);
        }
    }

    /// The request is on disk.
    pub(super) fn taken(&self, records: u64) {
        let Some(known) = &self.known else { return };
        known.used.requests.fetch_add(1, Ordering::Relaxed);
        known.used.records.fetch_add(records, Ordering::Relaxed);
        known.used.flagged.fetch_add(u64::from(self.flagged), Ordering::Relaxed);
    }
}

fn within_rates(known: &Known) -> Result<(), Refusal> {
    let (key, used) = (&known.key, &known.used);
    if key.rate.is_none() && key.byte_rate.is_none() {
        return Ok(());
    }
    let now = elapsed();
    let fast = |wait| Refusal::TooFast(key.name.clone(), wait);
    if key.byte_rate.is_some() {
        used.byte_rate.check(now).map_err(fast)?;
    }
    if let Some(rate) = key.rate {
        used.request_rate.check(now).map_err(fast)?;
        used.request_rate.take(1, rate, now);
    }
    Ok(())
}

fn elapsed() -> u64 {
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What was sent as a key: of several headers the one that looks like ours, since a proxy may have put its own there.
fn sent(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let text = |name: &HeaderName| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let bearers = || text(&AUTHORIZATION).filter_map(bearer);
    let all = || bearers().chain(text(&API_KEY).map(str::trim));
    let ours = all().find(|sent| sent.starts_with(Kind::IngestKey.prefix()));
    // Basic is how one logs in elsewhere: it shows no key.
    ours.or_else(|| all().find(|sent| !sent.is_empty())).map(Cow::Borrowed)
}

/// The credentials behind `Bearer`. Some SDKs send the header of `OTEL_EXPORTER_OTLP_HEADERS` without decoding it.
fn bearer(value: &str) -> Option<&str> {
    let scheme = value.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("bearer"))?;
    let rest = value.get(scheme.len()..)?;
    let rest = rest.strip_prefix("%20").or_else(|| rest.strip_prefix([' ', '\t']))?;
    Some(rest.trim())
}

fn agent(headers: &HeaderMap) -> String {
    let said = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    cut_text(name::clean(Cow::Borrowed(said)), AGENT).into_owned()
}
