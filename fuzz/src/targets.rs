//! What is fuzzed: one function for each parser that meets bytes of others, and what must hold whatever they are.
//!
//! `fuzz_targets/` hands these libFuzzer's inputs; the server's own tests (`tests/it/corpus.rs`) include this file and
//! hand them the stored corpus, on any toolchain, in every run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use seamwatch::access::door::Door;
use seamwatch::access::link::{Link, Scope, Signer};
use seamwatch::access::oidc::{self, Claims, Expected, Mapping};
use seamwatch::access::role::Role;
use seamwatch::access::secret::Secret;
use seamwatch::alert::parse;
use seamwatch::decode::{self, Decoded, Encoding, Limits, Malformed, Rejected, Signal, redact};
use seamwatch::inbox::{Inbox, Settings};
use seamwatch::oidc::keys::Keys;
use seamwatch::oidc::token::Unverified;
use seamwatch::outgoing::guard::{self, Policy};
use seamwatch::receive::certificate::Certificate;
use seamwatch::receive::{body, grpc, http, keys};
use seamwatch::rollup::latency::Latency;
use seamwatch::rollup::series::{Merge, Tally};
use seamwatch::rollup::window::Part;
use seamwatch::signals::scope::Pattern;
use seamwatch::signals::{endpoint, sampling};
use seamwatch::web::gate::access::Network;
use seamwatch::web::gate::{cookie as cookies, next};
use seamwatch::web::period::{self, Period};
use seamwatch::world::World;
use seamwatch::world::files::{File, Files};
use seamwatch::world::seal::{Keyring, Purpose};
use seamwatch::world::sealed::{self, Sealed};
use url::Host;

/// A target.
pub type Target = fn(&[u8]);

/// Every target by its name: that of its file in `fuzz_targets/` and of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 26] = [
    ("traces_protobuf", traces_protobuf),
    ("metrics_protobuf", metrics_protobuf),
    ("logs_protobuf", logs_protobuf),
    ("traces_json", traces_json),
    ("metrics_json", metrics_json),
    ("logs_json", logs_json),
    ("report", report),
    ("decompress", decompress),
    ("grpc_frame", grpc_frame),
    ("headers", headers),
    ("paths", paths),
    ("redaction", redaction),
    ("tracestate", tracestate),
    ("inbox_replay", inbox_replay),
    ("rows", rows),
    ("rule", rule),
    ("query", query),
    ("certificate", certificate),
    ("id_token", id_token),
    ("outgoing_url", outgoing_url),
    ("ingest_key", ingest_key),
    ("cookie", cookie),
    ("link", link),
    ("next_page", next_page),
    ("network", network),
    ("sealed", sealed),
];

const NOW: i64 = 1_800_000_000_000_000_000;

/// What is sent as a key, and the patterns of what keys may send for: a pattern and a name, with a line between them.
pub fn ingest_key(data: &[u8]) {
    let known = keys::Keys::new(Door::default(), Arc::default(), false);
    known.door().note(true, false);
    for name in [::http::header::AUTHORIZATION, seamwatch::receive::auth::API_KEY] {
        if let Ok(value) = ::http::HeaderValue::from_bytes(data) {
            let headers = ::http::HeaderMap::from_iter([(name, value)]);
            assert!(known.admit(&headers, NOW).is_err(), "nothing is a key where there is none");
        }
    }
    let text = String::from_utf8_lossy(data);
    if let Some((kind, secret)) = Secret::read(&text) {
        assert!(secret.reveal() == text && text.starts_with(kind.prefix()));
    }
    let (pattern, name) = text.split_once('\n').unwrap_or((&text, ""));
    // Short, because the plain reading tries everything.
    let pattern: String = pattern.chars().take(10).collect();
    let name: String = name.chars().take(14).collect();
    if let Ok(read) = pattern.parse::<Pattern>() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(read.matches(&name), plainly(&letters(&pattern), &letters(&name)), "{pattern} {name}");
        assert!(!read.is_any() || read.matches(&name));
        assert!(read.exact().is_none_or(|exact| exact == pattern));
    }
}

/// What a pattern means, tried out letter by letter.
fn plainly(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|at| plainly(rest, &name[at..])),
        Some((letter, rest)) => {
            name.split_first().is_some_and(|(first, behind)| first == letter && plainly(rest, behind))
        }
    }
}

/// The cookies that a browser shows.
pub fn cookie(data: &[u8]) {
    let Ok(value) = ::http::HeaderValue::from_bytes(data) else { return };
    let headers = ::http::HeaderMap::from_iter([(::http::header::COOKIE, value)]);
    let text = String::from_utf8_lossy(data);
    if let Some(secret) = cookies::read(&headers) {
        let shown = format!("{}={}", cookies::NAME, secret.reveal());
        assert!(text.split(';').any(|pair| pair.trim() == shown), "{text}");
        let again = cookies::set(&secret);
        assert!(again.to_str().is_ok_and(|again| again.starts_with(&shown)), "{text}");
    }
    assert!(
        cookies::read_ticket(&headers).is_none_or(|ticket| text.contains(ticket) && !ticket.contains(';'))
    );
}

/// A link of somebody's making; three numbers of one that is signed here, and a place where it is changed.
pub fn link(data: &[u8]) {
    let signer = Signer::new(&[7; 32]);
    let text = String::from_utf8_lossy(data);
    assert!(
        signer.read(&text, NOW).is_none() && !signer.is_form_token("session", &text),
        "nobody has the key"
    );
    let number =
        |at: usize| data.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(i64::from_le_bytes);
    let (Some(object), Some(edition), Some(expires_at)) = (number(0), number(8), number(16)) else { return };
    let link = Link { scope: Scope::Password, object, edition, expires_at };
    let signed = signer.link(&link);
    assert_eq!(signer.read(&signed, expires_at.saturating_sub(1)), (expires_at > i64::MIN).then_some(link));
    assert_eq!(signer.read(&signed, expires_at), None);
    if let [at, put, ..] = data[24..] {
        let mut other = signed.clone().into_bytes();
        let at = usize::from(at) % other.len();
        other[at] = put;
        let other = String::from_utf8_lossy(&other);
        assert!(other == signed || signer.read(&other, i64::MIN).is_none(), "{other} for {signed}");
    }
}

/// Where a login is to lead: wherever a browser goes by what comes of it, it stays here.
pub fn next_page(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let path = next::path(Some(&text));
    assert!(path == "/" || path == text);
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path} is a header's value");
    let here = url::Url::parse("https://seamwatch.example:4380/login").expect("an address");
    let there = here.join(path).expect("a path");
    assert_eq!((there.scheme(), there.origin()), ("https", here.origin()), "{path}");
}

/// A network of proxies, a line's end, an address.
pub fn network(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (network, address) = text.split_once('\n').unwrap_or((&text, ""));
    let (Ok(read), Ok(address)) = (network.parse::<Network>(), address.parse::<IpAddr>()) else { return };
    let (base, bits) = network.split_once('/').map_or((network, None), |(base, bits)| (base, Some(bits)));
    let base: IpAddr = base.parse().expect("it was read");
    let bits = bits.filter(|bits| !bits.is_empty()).map(|bits| bits.parse::<usize>().expect("it was read"));
    // Letter by letter: as IPv6, of which IPv4 is the last 32 bits.
    let digits = |address: IpAddr| {
        let wide = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        format!("{:0128b}", wide.to_bits())
    };
    let same = match (base, bits) {
        (_, None) => 128,
        (IpAddr::V4(_), Some(bits)) => 96 + bits,
        (IpAddr::V6(_), Some(bits)) => bits,
    };
    assert_eq!(read.holds(address), digits(base)[..same] == digits(address)[..same], "{text}");
}

/// Two numbers, and bytes: as a file that is sealed, as one that is sealed and then changed, and as a forged one.
pub fn sealed(data: &[u8]) {
    let ring = Keyring::new(Some(&[7; 32]), &[]);
    let Some(([a, b, c, d], plain)) = data.split_first_chunk() else { return };
    let file = sealed::sealed(&ring, plain.to_vec()).expect("it is not too long");
    let head = Sealed::read(&ring, &file, file.len() as u64).expect("it was sealed a moment ago");
    assert_eq!(
        (head.length(), sealed::length_in(file.len() as u64)),
        (plain.len() as u64, plain.len() as u64)
    );
    let place = |high: u8, low: u8, of: usize| usize::from(u16::from_be_bytes([high, low])) % (of + 1);
    let (one, two) = (place(*a, *b, plain.len()), place(*c, *d, plain.len()));
    let range = one.min(two) as u64..one.max(two) as u64;
    let places = head.places(&range);
    let opened = head.open(range.clone(), &file[places.start as usize..places.end as usize]);
    assert_eq!(opened.as_deref(), Ok(&plain[range.start as usize..range.end as usize]));
    let mut changed = file.clone();
    let at = place(*a, *b, file.len() - 1);
    changed[at] ^= c | 1;
    assert!(sealed::opened(&ring, &changed).is_err(), "changed at {at}");
    assert!(sealed::opened(&ring, &file[..at]).is_err(), "cut at {at}");
    assert!(sealed::opened(&ring, data).is_err());
    // What is right about it as far as it can be without the key.
    let forged = [&file[..sealed::HEAD], plain].concat();
    assert!(sealed::opened(&ring, &forged).is_err());
}

/// What is read of a certificate.
pub fn certificate(data: &[u8]) {
    if let Some(read) = Certificate::read(data) {
        assert!(!read.subject.contains(|letter: char| letter.is_control()));
    }
}

/// A set of keys, a line's end, a token; and the token's middle as what a provider says of somebody.
pub fn id_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (keys, token) = text.split_once('\n').unwrap_or((&text, ""));
    let keys = Keys::read(keys.as_bytes()).unwrap_or_default();
    if let Ok(token) = Unverified::read(token) {
        assert!(token.verify(&Keys::default()).is_err(), "no key verifies");
        let _ = token.verify(&keys);
    }
    let Ok(claims) = serde_json::from_str::<Claims>(token) else { return };
    let expected =
        Expected { issuer: "https://idp.example", client_id: "x", nonce: "n", began: NOW, now: NOW };
    let _ = oidc::check(&claims, &expected);
    let mapping = Mapping { groups_claim: "a.b".into(), admin: vec!["admins".into()], ..Mapping::default() };
    if let Ok(who) = oidc::identity(&claims, &mapping) {
        assert!(who.role == Role::Admin && who.groups.iter().any(|group| group == "admins"));
    }
}

/// An address to be called.
pub fn outgoing_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(target) = Policy::default().target(&text) {
        assert!(target.secure && guard::PORTS.contains(&target.port), "{text}");
        let address = match target.host {
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => address.into(),
            Host::Domain(_) => return,
        };
        if Policy::default().permitted(&target.host, vec![address]).is_ok() {
            assert!(!address.is_loopback() && !address.is_unspecified() && !address.is_multicast(), "{text}");
        }
    }
}

/// Spans from protobuf.
pub fn traces_protobuf(data: &[u8]) {
    request(Signal::Traces, Encoding::Protobuf, data);
}

/// Data points from protobuf.
pub fn metrics_protobuf(data: &[u8]) {
    request(Signal::Metrics, Encoding::Protobuf, data);
}

/// Log records from protobuf.
pub fn logs_protobuf(data: &[u8]) {
    request(Signal::Logs, Encoding::Protobuf, data);
}

/// Spans from JSON.
pub fn traces_json(data: &[u8]) {
    request(Signal::Traces, Encoding::Json, data);
}

/// Data points from JSON.
pub fn metrics_json(data: &[u8]) {
    request(Signal::Metrics, Encoding::Json, data);
}

/// Log records from JSON.
pub fn logs_json(data: &[u8]) {
    request(Signal::Logs, Encoding::Json, data);
}

fn request(signal: Signal, encoding: Encoding, data: &[u8]) {
    let read = || decode::request(signal, encoding, data, NOW, &Arc::default(), &Limits::default());
    let decoded = read();
    assert_eq!(decoded, read(), "replay reads the same");
    whole(decoded);
}

/// What holds of every request that was read.
fn whole(decoded: Result<Decoded, Malformed>) {
    let Decoded { batch, rejected } = match decoded {
        Ok(decoded) => decoded,
        Err(Malformed(sentence)) => {
            assert!(!sentence.is_empty() && sentence.len() < 1_000, "{sentence}");
            return;
        }
    };
    assert!(rejected.count == 0 || !rejected.message.is_empty(), "{rejected:?}");
    assert!(rejected.message.len() <= 1024);
    let spans = &batch.spans;
    assert_eq!(spans.name.len(), spans.len());
    assert_eq!(spans.attributes.offsets.len(), spans.len() + 1);
    for at in 0..spans.len() {
        assert!(spans.trace_id[at] != [0; 16] && spans.span_id[at] != [0; 8]);
        assert!(spans.attributes.get(at).len() <= Limits::default().attributes);
    }
    assert_eq!(batch.logs.body.len(), batch.logs.len());
    let seen = &batch.observations;
    for call in &seen.calls {
        assert!(seen.series.get(call.series as usize).is_some());
        assert!(call.weight >= 1.0 && call.weight.is_finite());
        assert!(call.end > 0);
    }
    let mut part = Part::default();
    part.absorb(seen, NOW);
    let mut twice = part.clone();
    twice.merge(&part);
    for row in part.calls.values() {
        survives(&row.tally, &row.good);
    }
}

/// A report on an integration: the first byte picks the content type.
pub fn report(data: &[u8]) {
    let (content_type, data) = picked(data, &["", "application/json", "application/x-www-form-urlencoded"]);
    let read = || decode::record("/report/zap", content_type, data, NOW, &Arc::default(), &Limits::default());
    let decoded = read();
    assert_eq!(decoded, read());
    if let Ok(Decoded { batch, rejected }) = &decoded {
        assert_eq!((batch.records, rejected), (1, &Rejected::default()));
    }
    whole(decoded);
}

/// A compressed body: the first byte picks the encoding.
pub fn decompress(data: &[u8]) {
    const LIMIT: usize = 1 << 20;
    let encodings =
        [body::Encoding::Gzip, body::Encoding::Deflate, body::Encoding::Zstd, body::Encoding::Identity];
    let (encoding, data) = picked(data, &encodings);
    match body::decompress(encoding, data, LIMIT) {
        Ok(plain) => assert!(plain.len() <= LIMIT),
        Err(body::BodyError::TooLarge(limit)) => assert_eq!(limit, LIMIT),
        Err(body::BodyError::Corrupt(..)) => {}
    }
}

/// One framed gRPC message.
pub fn grpc_frame(data: &[u8]) {
    if let Ok((_, message)) = grpc::unframe(Bytes::copy_from_slice(data)) {
        assert_eq!(data.get(5..), Some(&message[..]));
    }
}

/// Content types and encodings as senders write them.
pub fn headers(data: &[u8]) {
    let mut headers = ::http::HeaderMap::new();
    if let Ok(value) = ::http::HeaderValue::from_bytes(data) {
        headers.insert(::http::header::CONTENT_TYPE, value);
    }
    let media = http::media_type(&headers);
    assert!(!media.contains(';') && media == media.to_ascii_lowercase());
    let text = String::from_utf8_lossy(data);
    let is_text = headers.get(::http::header::CONTENT_TYPE).is_some_and(|value| value.to_str().is_ok());
    // What one part of the server takes for a type, the other does too.
    let wanted = Encoding::from_content_type(&text).filter(|_| is_text);
    assert_eq!(Encoding::from_content_type(&media), wanted);
    if let Some(encoding) = body::Encoding::parse(&text) {
        assert_eq!(body::Encoding::parse(encoding.name()), Some(encoding));
    }
}

/// Addresses and paths.
pub fn paths(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let normalise = |url: &str| {
        let mut path = String::new();
        endpoint::normalise(&mut path, url);
        path
    };
    let path = normalise(&text);
    assert!(path.starts_with('/') && !path.contains(['?', '#']), "{path}");
    assert!(path.split('/').count() <= 9, "{path}");
    assert_eq!(normalise(&path), path, "what is a template already stays as it is");
    assert!(endpoint::cut(&text).len() <= 200 && text.starts_with(endpoint::cut(&text)));
}

/// Texts that may hold secrets.
pub fn redaction(data: &[u8]) {
    let redactor = redact::Redactor::usual();
    let text = String::from_utf8_lossy(data);
    let clean = redactor.text(Cow::Borrowed(&text));
    assert!(clean.len() <= text.len() + redact::MARK.len() * (text.len() / 2 + 1));
    assert!(redactor.is_clean(&text) == matches!(clean, Cow::Borrowed(_)));
    // Whatever stands before a secret, it goes.
    let token = ["7Q", &"x9".repeat(17)].concat();
    for planted in [
        format!("{text} Bearer {token}"),
        format!("{text} sk_live_{token}"),
        format!("{text}\n{{\"password\": \"{token}\"}}"),
        format!("{text}\nhttps://api.example/?a=1&token={token}"),
        format!("{text}\nX-Api-Key: {token}"),
        format!("{text}\npostgres://app:{token}@db.example/x"),
    ] {
        let clean = redactor.text(Cow::Owned(planted));
        assert!(!clean.contains(&token), "{clean}");
    }
    if let Ok(mut tree) = serde_json::from_str::<serde_json::Value>(&text) {
        redactor.tree(&mut tree);
    }
}

/// Sampling thresholds.
pub fn tracestate(data: &[u8]) {
    let weight = sampling::weight(&String::from_utf8_lossy(data));
    assert!(weight.is_finite() && weight >= 1.0, "{weight}");
}

/// Rows as they lie in the catalog.
pub fn rows(data: &[u8]) {
    let mut rest = data;
    if let (Some(tally), Some(latency)) = (Tally::decode(&mut rest), Latency::decode(&mut rest)) {
        survives(&tally, &latency);
        let mut twice = tally.clone();
        twice.merge(&tally);
        let mut twice = latency.clone();
        twice.merge(&latency);
        assert!(twice.count() >= latency.count());
    }
    let _ = Latency::decode(&mut &*data);
}

fn survives(tally: &Tally, latency: &Latency) {
    let mut bytes = Vec::new();
    tally.encode(&mut bytes);
    latency.encode(&mut bytes);
    let mut rest = &bytes[..];
    let again = (Tally::decode(&mut rest), Latency::decode(&mut rest));
    // Compared as text, because a weight that is no number does not equal itself.
    assert_eq!(format!("{again:?}"), format!("{:?}", (Some(tally), Some(latency))));
    for (lowest, count) in latency.iter() {
        assert!(lowest <= 3_600_000_000 && count > 0);
    }
    assert!(latency.quantile_us(0.99).is_none_or(|us| us <= 3_600_000_000));
}

/// A rule file.
pub fn rule(data: &[u8]) {
    if let Err(problems) = parse::parse("alerts/rule.toml", &String::from_utf8_lossy(data)) {
        assert!(!problems.is_empty(), "a rule is refused without a sentence");
    }
}

/// Stretches of time in a query: `from`, `to` and a length, a line each.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let (from, to) = (lines.next().filter(|l| !l.is_empty()), lines.next().filter(|l| !l.is_empty()));
    if let Ok(period) = Period::between(from, to, 60, NOW) {
        assert!(period.from <= period.to, "{period:?}");
        let _ = period.days_before(7);
    }
    if let Ok(minutes) = period::length("window", lines.next().unwrap_or_default()) {
        let period = Period::last(minutes, NOW);
        assert!(minutes > 0 && period.from <= period.to, "{period:?}");
    }
}

/// Files of the inbox. The first byte says how many of the checksums are set right: random bytes never pass them, and
/// what lies behind would never be seen.
pub fn inbox_replay(data: &[u8]) {
    const NAMES: [&str; 2] = ["00000000000000000001.inbox", "00000000000000000002.inbox"];
    let ring = Keyring::new(Some(&[7; 32]), &[]);
    let (fix, data) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let (one, two) = data.split_at(data.len() * usize::from(fix >> 3) / 32);
    let mut files = BTreeMap::new();
    for (name, bytes) in NAMES.iter().zip([two, one]).filter(|(_, bytes)| !bytes.is_empty()) {
        let mut bytes = bytes.to_vec();
        if fix & 1 != 0 {
            set_right(&mut bytes, fix & 2 != 0, name == &NAMES[0], (fix & 4 != 0).then_some(&ring));
        }
        files.insert((*name).to_owned(), bytes);
    }
    let (deliver, _delivered) = tokio::sync::mpsc::channel::<(u64, ())>(1);
    let files = Arc::new(Memory(Mutex::new(files)));
    let world = World { files, ..World::real() };
    let settings = Settings { keyring: ring, ..Settings::new("inbox".into()) };
    let Ok((inbox, replay)) = Inbox::open(settings, &world, deliver, 0) else { return };
    let mut last = 0;
    for (sequence, record) in replay.map_while(Result::ok) {
        assert!(sequence > 0 && record.length() > 0);
        last = sequence.max(last);
    }
    drop(inbox);
}

/// Writes the magic and the checksums where the format has them, and the key's name where it is to be sealed.
fn set_right(bytes: &mut [u8], records_too: bool, is_first: bool, seal: Option<&Keyring>) {
    let head: usize = if seal.is_some() { 64 } else { 40 };
    if bytes.len() < head {
        return;
    }
    bytes[..8].copy_from_slice(if seal.is_some() { b"SEAMINB2" } else { b"SEAMINB1" });
    if let Some((stamp, _)) = seal.and_then(|ring| ring.begin(Purpose::Inbox).ok()?) {
        // The key alone: what follows it is anybody's.
        bytes[36..44].copy_from_slice(&stamp.encode()[..8]);
    }
    bytes[8..16].copy_from_slice(&(if is_first { 1u64 } else { 2 }).to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..head - 4]);
    bytes[head - 4..head].copy_from_slice(&crc.to_le_bytes());
    let salt = u32::from_le_bytes([bytes[32], bytes[33], bytes[34], bytes[35]]);
    let mut at = head;
    while records_too && at + 28 <= bytes.len() {
        // Lengths that fit, mostly: the upper bytes of a random one would end the file at its first record.
        bytes[at + 1..at + 4].fill(0);
        let end = at + 28 + usize::from(bytes[at]);
        let Some(payload) = bytes.get(at + 28..end) else { return };
        let crc = crc32c::crc32c(payload);
        bytes[at + 20..at + 24].copy_from_slice(&crc.to_le_bytes());
        let crc = crc32c::crc32c_append(salt, &bytes[at..at + 24]);
        bytes[at + 24..at + 28].copy_from_slice(&crc.to_le_bytes());
        at = end;
    }
}

fn picked<'d, T: Copy>(data: &'d [u8], from: &[T]) -> (T, &'d [u8]) {
    let (first, rest) = data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest));
    (from[first % from.len()], rest)
}

/// A file system in memory.
#[derive(Debug)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn with<T>(&self, path: &Path, work: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        let mut files = self.0.lock().expect("nothing panics under this lock");
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        files.get_mut(name).map(work).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Files for Memory {
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<(String, u64)>> {
        let files = self.0.lock().expect("nothing panics under this lock");
        Ok(files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn File>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn read(&self, path: &Path, offset: u64, most: u64) -> io::Result<Vec<u8>> {
        self.with(path, |bytes| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let to = from.saturating_add(usize::try_from(most).unwrap_or(usize::MAX)).min(bytes.len());
            bytes[from..to].to_vec()
        })
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.with(path, |bytes| bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX)))
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut files = self.0.lock().expect("nothing panics under this lock");
        files.remove(path.file_name().and_then(|name| name.to_str()).unwrap_or_default());
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}
