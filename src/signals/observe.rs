//! Reads one request's records in order and says what they mean.

mod derived;
mod events;
mod failures;
mod points;
mod report;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use rapidhash::fast::{RandomState, RapidHasher};

use super::call::Class;
use super::classified::{Classified, Whose};
use super::failure::Fingerprint;
use super::integration::{Identity, Naming, identify, renamed};
use super::lookup::Lookup;
use super::mapping::Mappings;
use super::observation::{Call, CallKey, Direction, IntegrationKey, Observations, Source};
use super::provider::{Provider, Providers};
use super::scope::Scope;
use super::telemetry::{Nanos, Origin, Refusal, Span};
use super::vocabulary::Attr;
use super::{classify, endpoint, retry, sampling, sequence};
use derived::Counted;

/// An event may be this far ahead of its receipt before the receipt's time is used.
const AHEAD: Nanos = 300_000_000_000;

/// What the operator says of identity, and which addresses are our own.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `[[integration]]` rules that name telemetry, first match wins.
    pub naming: Vec<Naming>,
    /// Names that integrations had before → the name that stands.
    pub renamed: HashMap<String, String>,
    /// Our own ingest addresses (host, port): calls to them are no integration's calls.
    pub own_addresses: Vec<(String, u16)>,
    /// What vendors say of their answers.
    pub providers: Arc<Providers>,
    /// Which metrics of others are one of ours.
    pub mappings: Arc<Mappings>,
    /// What ambiguous answers of some endpoints were said to be.
    pub classified: Arc<Classified>,
    /// For whom the sender may speak; none for everybody.
    pub scope: Option<Arc<Scope>>,
}

/// Why a record is refused whose integration is none of those that its sender may speak for.
pub const OUTSIDE: &str = "it is outside what its key may send for";
/// Stands for the place of such an integration.
const NOWHERE: usize = usize::MAX;

/// What one span came to, for the row that is kept of it.
#[derive(Clone, Copy, Debug)]
pub struct Meaning<'m> {
    /// Whose span it is.
    pub integration: &'m IntegrationKey,
    /// The series it counts in, by place and key, and how it ended; none for a span that is no call.
    pub call: Option<(u32, &'m CallKey, Class)>,
}

/// The hasher is keyed: senders choose what is looked up, and names that all fall into one place would cost their square.
type Map<K, V> = HashMap<K, V, RandomState>;

/// Collects the observations of one request.
#[derive(Debug)]
pub struct Observer {
    rules: Arc<Rules>,
    received_at: Nanos,
    identity: Option<(usize, Identity)>,
    /// (resource of the request, its place in `seen.integrations`), where no record of it was named apart.
    latest: Option<(usize, usize)>,
    /// Room for an endpoint's name.
    endpoint: String,
    keys: Map<IntegrationKey, usize>,
    denied: Vec<IntegrationKey>,
    /// By hash; one of two that are alike stands at the next number.
    series: Map<u64, u32>,
    /// Whose host the peer of each series is, once it was asked for.
    vendors: Vec<Option<Option<usize>>>,
    names: Map<Arc<str>, u32>,
    /// Texts of deliveries, each once.
    texts: HashSet<Arc<str>, RandomState>,
    /// Where the gauge of each limit and minute stands.
    limits: Map<u64, usize>,
    attempts: Vec<retry::Attempt>,
    /// Places of error groups.
    errors: Map<Fingerprint, usize>,
    /// Rows of spans or log records so far: a request has one or the other.
    rows: u32,
    slots: HashMap<u64, usize>,
    runs: HashMap<u64, usize>,
    /// The resource that was marked last.
    marked: Option<usize>,
    /// Index and hash of the resource whose points were read last.
    resource: Option<(usize, u128)>,
    seen: Observations,
}

impl Observer {
    /// An observer of one request that arrived at `received_at`.
    pub fn new(rules: Arc<Rules>, received_at: Nanos) -> Observer {
        Observer {
            rules,
            received_at,
            identity: None,
            latest: None,
            endpoint: String::new(),
            keys: Map::default(),
            denied: Vec::new(),
            series: Map::default(),
            vendors: Vec::new(),
            names: Map::default(),
            texts: HashSet::default(),
            limits: Map::default(),
            attempts: Vec::new(),
            errors: Map::default(),
            rows: 0,
            slots: HashMap::new(),
            runs: HashMap::new(),
            marked: None,
            resource: None,
            seen: Observations::default(),
        }
    }

    /// Takes a span in.
    pub fn span(&mut self, origin: &Origin<'_, '_>, span: &Span<'_>) -> Result<Meaning<'_>, Refusal> {
        let look = Lookup { own: &span.attributes, scope: origin.scope, resource: origin.resource };
        let (peer, port) = endpoint::peer(&look);
        let at = self.integration(origin, &look, &peer)?;
        let row = self.rows;
        self.rows += 1;
        let own = port.is_some_and(|port| self.is_own(&peer, port));
        let Some(direction) = endpoint::direction(span, &look).filter(|_| !own) else {
            if !span.events.is_empty() {
                self.note_span(at, span, row);
            }
            return Ok(Meaning { integration: &self.seen.integrations[at].key, call: None });
        };
        // The other side of a call to us is not a peer that we depend on: rows would grow with every client.
        let peer = if direction == Direction::Inbound { "" } else { &*peer };
        let mut endpoint = std::mem::take(&mut self.endpoint);
        endpoint::write(&mut endpoint, span, &look);
        let series = self.intern(at, direction, peer, endpoint::cut(&endpoint), Source::Span);
        self.endpoint = endpoint;
        let asks = direction == Direction::Outbound && classify::asks_provider(&look);
        let provider = if asks { self.provider(series, peer) } else { None };
        let class = classify::classify(span, &look, direction, provider);
        let class =
            self.rules.classified.class(class, || self.seen.series.get(series as usize).map(Whose::of));
        let call = self.call(series, class, span, &look);
        self.attempts.push(retry::Attempt::of(span, &look, &call));
        let (end, weight) = (call.end, call.weight);
        self.seen.calls.push(call);
        let counted = Counted { integration: at, series, direction, class, end, weight };
        self.derive(span, &look, peer, counted);
        if class.is_bad() || !span.events.is_empty() {
            self.note_call(at, span, &look, row);
        }
        let meaning = self.seen.series.get(series as usize).map(|key| (series, key, class));
        Ok(Meaning { integration: &self.seen.integrations[at].key, call: meaning })
    }

    /// The vendor that a series' peer belongs to: looked up once for each series of a request.
    fn provider(&mut self, series: u32, peer: &str) -> Option<&Provider> {
        let at = series as usize;
        if self.vendors.len() <= at {
            self.vendors.resize(at + 1, None);
        }
        let known = self.vendors.get_mut(at)?;
        let index = *known.get_or_insert_with(|| self.rules.providers.index_of(peer));
        index.and_then(|index| self.rules.providers.at(index))
    }

    fn call(&mut self, series: u32, class: Class, span: &Span<'_>, look: &Lookup<'_, '_>) -> Call {
        let end = self.time(span.end);
        if span.end < span.start {
            self.notice("spans that end before they start");
        }
        let method = look.str(Attr::HttpMethod).unwrap_or("");
        let write = matches!(method, "POST" | "PUT" | "PATCH" | "DELETE");
        let count = |attr| look.i64(attr).and_then(|n| u64::try_from(n).ok());
        Call {
            series,
            end,
            duration_us: (span.end.saturating_sub(span.start).max(0) as u64).div_ceil(1000),
            class,
            weight: sampling::weight(&span.trace_state),
            supersedes: None,
            unlinked_retry: false,
            exhausted: look.bool(Attr::RetryExhausted),
            write,
            keyed: write && look.get(Attr::IdempotencyKeyHash).is_some(),
            replayed: write && look.bool(Attr::IdempotencyReplayed),
            records: count(Attr::RecordsCount).unwrap_or(0),
            records_failed: count(Attr::RecordsFailed).unwrap_or(0),
            page_size: count(Attr::PageSize),
            connection: look.str(Attr::ConnectionId).map(|id| self.name(id)),
            credential: look.str(Attr::CredentialId).map(|id| self.name(id)),
            operation: 0,
        }
    }

    /// Bytes that all that was seen takes, about.
    pub fn bytes(&self) -> usize {
        self.seen.bytes() + self.attempts.len() * size_of::<retry::Attempt>() + self.denied.len() * 512
    }

    /// Integrations of the request whose records were refused because its sender may not speak for them, each once.
    pub fn denied(&self) -> &[IntegrationKey] {
        &self.denied
    }

    /// Links retries to what they replace and gives all that was seen.
    pub fn finish(mut self) -> Observations {
        retry::link(&self.attempts, &mut self.seen.calls);
        sequence::keep_known(&mut self.seen);
        // All of it was refused: nothing begins anywhere.
        if self.seen.integrations.is_empty() {
            self.seen.marks.clear();
        }
        self.seen
    }

    /// Index of the integration a record belongs to, registered once a request. An error when the sender may not speak
    /// for it, which is looked at once a request too.
    fn integration(
        &mut self,
        origin: &Origin<'_, '_>,
        look: &Lookup<'_, '_>,
        peer: &str,
    ) -> Result<usize, Refusal> {
        let own = look.own.get(Attr::IntegrationName).or_else(|| look.scope.get(Attr::IntegrationName));
        if let Some((resource, at)) = self.latest
            && resource == origin.resource_index
            && own.is_none()
        {
            return place(at);
        }
        let at = self.resolve(origin, look, peer, own.is_none())?;
        self.mark(origin, at);
        Ok(at)
    }

    fn resolve(
        &mut self,
        origin: &Origin<'_, '_>,
        look: &Lookup<'_, '_>,
        peer: &str,
        unnamed: bool,
    ) -> Result<usize, Refusal> {
        // Resources come one after another, so the latest is the one or it is new.
        if self.identity.as_ref().is_none_or(|(index, _)| *index != origin.resource_index) {
            let identity = identify(origin.resource);
            self.seen.batches.extend(sequence::of(origin.resource, &identity.info.key));
            self.identity = Some((origin.resource_index, identity));
        }
        let Some((_, identity)) = &self.identity else { return Ok(0) };
        let other = renamed(identity, &self.rules.naming, look, peer);
        let settled = unnamed && (identity.explicit || self.rules.naming.is_empty());
        let mut key = identity.info.key.clone();
        key.name = other.map_or(key.name, Into::into);
        let sent = key.clone();
        if let Some(now) = self.rules.renamed.get(&*key.name) {
            key.name = now.as_str().into();
        }
        // One that is refused under one of its names may be allowed under the other.
        if let Some(at) = self.keys.get(&key).copied().filter(|at| *at != NOWHERE || sent.name == key.name) {
            self.note_version(at);
            self.latest = settled.then_some((origin.resource_index, at));
            return place(at);
        }
        if self.rules.scope.as_ref().is_some_and(|scope| !scope.allows(&sent) && !scope.allows(&key)) {
            self.latest = settled.then_some((origin.resource_index, NOWHERE));
            self.denied.push(key.clone());
            self.keys.insert(key, NOWHERE);
            return place(NOWHERE);
        }
        let mut info = identity.info.clone();
        if &*info.key.name == "unnamed" && other.is_none() {
            self.notice("requests whose telemetry names no integration and no service");
        }
        info.key = key.clone();
        let at = self.seen.integrations.len();
        self.seen.integrations.push(info);
        self.keys.insert(key, at);
        self.note_version(at);
        self.latest = settled.then_some((origin.resource_index, at));
        Ok(at)
    }

    fn is_own(&self, host: &str, port: u16) -> bool {
        let host = if host == "localhost" { "127.0.0.1" } else { host };
        self.rules.own_addresses.iter().any(|(ours, at)| *at == port && ours == host)
    }

    /// Index of a series, without an allocation for one that is known.
    fn intern(
        &mut self,
        integration: usize,
        direction: Direction,
        peer: &str,
        endpoint: &str,
        source: Source,
    ) -> u32 {
        let whose = &self.seen.integrations[integration].key;
        let mut slot = self.series.hasher().hash_one((integration, direction, peer, endpoint, source));
        let series = &self.seen.series;
        let same = |at: u32| {
            series.get(at as usize).is_some_and(|key| {
                key.direction == direction
                    && &*key.peer == peer
                    && &*key.endpoint == endpoint
                    && key.source == source
                    && (Arc::ptr_eq(&key.integration.name, &whose.name) || key.integration == *whose)
            })
        };
        while let Some(at) = self.series.get(&slot).copied() {
            if same(at) {
                return at;
            }
            slot = slot.wrapping_add(1);
        }
        let at = series.len() as u32;
        self.series.insert(slot, at);
        // Mostly the peer of the series before.
        let before = series.last().map(|key| &key.peer).filter(|before| ***before == *peer);
        let peer = before.map_or_else(|| peer.into(), Arc::clone);
        self.seen.series.push(CallKey {
            integration: whose.clone(),
            direction,
            peer,
            endpoint: endpoint.into(),
            source,
        });
        at
    }

    fn name(&mut self, id: &str) -> u32 {
        let id = endpoint::cut(id);
        if let Some(at) = self.names.get(id) {
            return *at;
        }
        let at = self.seen.names.len() as u32;
        let name: Arc<str> = id.into();
        self.seen.names.push(name.clone());
        self.names.insert(name, at);
        at
    }

    /// The time that counts: the event's own, or that of receipt where it has none or lies in the future.
    fn time(&mut self, time: Nanos) -> Nanos {
        if time <= 0 {
            return self.received_at;
        }
        if time.saturating_sub(self.received_at) > AHEAD {
            self.notice("records more than five minutes in the future");
            return self.received_at;
        }
        time
    }

    /// Counts what was corrected or left out, by name; the System page shows it.
    pub fn notice(&mut self, what: &'static str) {
        self.notices(what, 1);
    }

    /// The same of several.
    pub fn notices(&mut self, what: &'static str, count: u64) {
        match self.seen.notices.iter_mut().find(|(name, _)| *name == what) {
            Some((_, known)) => *known += count,
            None if count > 0 => self.seen.notices.push((what, count)),
            None => {}
        }
    }
}

fn place(at: usize) -> Result<usize, Refusal> {
    if at == NOWHERE { Err(Refusal::Borrowed(OUTSIDE)) } else { Ok(at) }
}

/// A hash that is the same within a build: for tables and outcome hashes, never persisted as identity.
pub fn hash(value: &impl Hash) -> u64 {
    let mut hasher = RapidHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
