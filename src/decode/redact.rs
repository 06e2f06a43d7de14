//! Secrets, taken out before anything is observed or kept. The text around them stays readable.
//!
//! `scan` is the pass over a text; what it may find: `members` (by its name, which `names` judges), `makers` (by how it
//! begins), `urls`, `mail`, `numbers`. What it is for and what it costs: docs/redaction.md.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use regex::Regex;
use ring::hmac;

use crate::signals::telemetry::Value;
use kind::{Kind, Kinds};
use names::Names;
use scan::{Finding, Scan};

pub mod kind;
mod mail;
mod makers;
mod members;
mod names;
mod numbers;
pub mod scan;
mod urls;

/// What stands where a secret stood.
pub const MARK: &str = "[redacted]";

/// The shortest text that holds a secret: `pwd=x`.
const SHORTEST: usize = 5;

/// What a key says of the values under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Nothing: a text is searched, a number is shown unless it is a card's.
    Open,
    /// A text is a secret as a whole. A count of tokens is no token: a number is shown.
    Secret,
    /// A number is one too: the plainest of names.
    Plain,
    /// It names whom to ask: a text is searched for all but addresses.
    Person,
    /// The operator wants it as it is.
    Left,
}

/// What the operator says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is looked for.
    pub kinds: Kinds,
    /// Names whose values are secrets, besides those that are known.
    pub keys: Vec<String>,
    /// Names whose values are left alone.
    pub leave: Vec<String>,
    /// What else is a secret: the first group of a match, or all of it.
    pub patterns: Vec<Regex>,
    /// What makes one mark of one address; without it all addresses have the same.
    pub email_key: Option<[u8; 32]>,
}

impl Default for Settings {
    fn default() -> Self {
        let none = Vec::new;
        Self { kinds: Kinds::USUAL, keys: none(), leave: none(), patterns: Vec::new(), email_key: None }
    }
}

/// Takes secrets out, and counts what it took. It lives as long as the process: each record is read with it at hand.
pub struct Redactor {
    kinds: Kinds,
    names: Names,
    patterns: Vec<Regex>,
    email_key: Option<hmac::Key>,
    /// By kind, since the start.
    taken: [AtomicU64; Kind::COUNT],
}

impl fmt::Debug for Redactor {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("kinds", &self.kinds)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// One that does what the operator says.
    pub fn new(settings: Settings) -> Redactor {
        Redactor {
            kinds: settings.kinds,
            names: Names::new(&settings.keys, &settings.leave),
            patterns: settings.patterns,
            email_key: settings.email_key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key)),
            taken: Default::default(),
        }
    }

    /// One by the defaults, without a key for addresses.
    pub fn usual() -> &'static Redactor {
        static USUAL: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(Settings::default()));
        &USUAL
    }

    /// How many were taken out, by kind, since the start.
    pub fn taken(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.iter().zip(&self.taken).map(|(kind, count)| (*kind, count.load(Ordering::Relaxed)))
    }

    /// What a key says of the values under it.
    pub fn secrecy(&self, key: &str) -> Secrecy {
        match self.names.secrecy(key) {
            Secrecy::Secret | Secrecy::Plain if !self.kinds.has(Kind::Key) => Secrecy::Open,
            secrecy => secrecy,
        }
    }

    /// An attribute's value with its secrets taken out.
    pub fn attribute<'a>(&self, key: &str, value: Value<'a>) -> Value<'a> {
        self.under(self.secrecy(key), value)
    }

    /// A value with its secrets taken out, under a key of which this is known. An array or a map was cleaned member
    /// by member when it was read.
    pub fn under<'a>(&self, secrecy: Secrecy, value: Value<'a>) -> Value<'a> {
        let is_number = matches!(value, Value::Int(_) | Value::Double(_));
        let hides = match secrecy {
            Secrecy::Left => return value,
            Secrecy::Open | Secrecy::Person => false,
            Secrecy::Secret => !is_number,
            Secrecy::Plain => true,
        };
        match value {
            Value::Empty | Value::Bool(_) => value,
            _ if hides => {
                self.count(Kind::Key);
                Value::Str(Cow::Borrowed(MARK))
            }
            Value::Str(raw) => Value::Str(self.text_but(raw, self.kinds_under(secrecy))),
            Value::Int(number) if self.is_card(number as f64) => self.card(),
            Value::Double(number) if self.is_card(number) => self.card(),
            Value::Bytes(bytes) => match self.bytes(&bytes) {
                Some(clean) => Value::Str(Cow::Owned(clean)),
                None => Value::Bytes(bytes),
            },
            other => other,
        }
    }

    /// Bytes as text without the secrets among them; none where there is none. They are shown as hexadecimal digits,
    /// which a reader turns back, so that text among them is text.
    pub fn bytes(&self, bytes: &[u8]) -> Option<String> {
        self.clean(&String::from_utf8_lossy(bytes), self.kinds)
    }

    /// A free text with its secrets taken out.
    #[inline]
    pub fn text<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        self.text_but(text, self.kinds)
    }

    fn text_but<'a>(&self, text: Cow<'a, str>, kinds: Kinds) -> Cow<'a, str> {
        match self.clean(&text, kinds) {
            Some(clean) => Cow::Owned(clean),
            None => text,
        }
    }

    fn kinds_under(&self, secrecy: Secrecy) -> Kinds {
        if secrecy == Secrecy::Person { self.kinds.without(Kind::Email) } else { self.kinds }
    }

    /// Takes the secrets out of a tree of values, by key and by text.
    pub fn tree(&self, value: &mut serde_json::Value) {
        use serde_json::Value as Json;
        match value {
            Json::String(text) => {
                if let Some(clean) = self.clean(text, self.kinds) {
                    *text = clean;
                }
            }
            Json::Number(number) => {
                if number.as_f64().is_some_and(|number| self.is_card(number)) {
                    self.count(Kind::Card);
                    *value = MARK.into();
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.tree(item)),
            Json::Object(members) => {
                for (key, member) in members.iter_mut() {
                    self.member(key, member);
                }
                let said: Vec<(String, String)> = members
                    .keys()
                    .filter_map(|key| Some((key.clone(), self.clean(key, self.kinds)?)))
                    .collect();
                for (key, clean) in said {
                    let member = members.remove(&key).unwrap_or_default();
                    members.insert(clean, member);
                }
            }
            Json::Null | Json::Bool(_) => {}
        }
    }

    fn member(&self, key: &str, member: &mut serde_json::Value) {
        if self.hides(key, member) {
            self.count(Kind::Key);
            *member = MARK.into();
        } else if self.secrecy(key) != Secrecy::Left {
            self.tree(member);
        }
    }

    /// Whether a member of a tree is hidden as a whole by its key.
    pub fn hides(&self, key: &str, member: &serde_json::Value) -> bool {
        use serde_json::Value as Json;
        match member {
            Json::Null | Json::Bool(_) => false,
            Json::Number(_) => self.secrecy(key) == Secrecy::Plain,
            _ => matches!(self.secrecy(key), Secrecy::Secret | Secrecy::Plain),
        }
    }

    /// Whether a whole number is a card's: one that a sender gave as a number.
    pub fn is_card(&self, number: f64) -> bool {
        self.kinds.has(Kind::Card)
            && number.fract() == 0.0
            && number > 0.0
            && numbers::is_card_number(number as u64)
    }

    fn card(&self) -> Value<'static> {
        self.count(Kind::Card);
        Value::Str(Cow::Borrowed(MARK))
    }

    /// What would be taken out of a text, in order; what patterns match comes behind the rest.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let by_pattern = self
            .patterns()
            .flat_map(|pattern| pattern.captures_iter(text).filter_map(|found| secret_of(&found)));
        let by_pattern =
            by_pattern.map(|found| Finding { from: found.start(), to: found.end(), kind: Kind::Pattern });
        Scan::new(text, &self.names, self.kinds).chain(by_pattern.collect::<Vec<_>>()).collect()
    }

    fn patterns(&self) -> impl Iterator<Item = &Regex> {
        self.patterns.iter().filter(|_| self.kinds.has(Kind::Pattern))
    }

    /// Whether nothing would be taken out of a text.
    pub fn is_clean(&self, text: &str) -> bool {
        let by_pattern =
            self.kinds.has(Kind::Pattern) && self.patterns.iter().any(|pattern| pattern.is_match(text));
        !by_pattern && Scan::new(text, &self.names, self.kinds).next().is_none()
    }

    /// The text without its secrets; none when it holds none, which is nearly always and costs one pass.
    fn clean(&self, text: &str, kinds: Kinds) -> Option<String> {
        if text.len() < SHORTEST && self.patterns.is_empty() {
            return None;
        }
        let mut scan = Scan::new(text, &self.names, kinds);
        let clean = scan.next().map(|first| {
            // What cannot be cut out takes the whole text with it.
            self.without(text, first, scan).unwrap_or_else(|| MARK.to_owned())
        });
        if self.patterns.is_empty() {
            return clean;
        }
        let searched = clean.as_deref().unwrap_or(text);
        self.without_patterns(searched).or(clean)
    }

    #[cold]
    fn without(&self, text: &str, first: Finding, more: Scan<'_>) -> Option<String> {
        let (mut clean, mut at) = (String::with_capacity(text.len()), 0);
        for Finding { from, to, kind } in std::iter::once(first).chain(more) {
            clean.push_str(text.get(at..from)?);
            match kind {
                Kind::Email => clean.push_str(&mail::mark(self.email_key.as_ref(), text.get(from..to)?)),
                _ => clean.push_str(MARK),
            }
            self.count(kind);
            at = to;
        }
        clean.push_str(text.get(at..)?);
        Some(clean)
    }

    fn without_patterns(&self, text: &str) -> Option<String> {
        let mut clean = None;
        for pattern in self.patterns() {
            let searched = clean.as_deref().unwrap_or(text);
            let (mut out, mut at) = (String::new(), 0);
            for secret in pattern.captures_iter(searched).filter_map(|found| secret_of(&found)) {
                if secret.as_str() == MARK {
                    continue;
                }
                out.push_str(searched.get(at..secret.start())?);
                out.push_str(MARK);
                self.count(Kind::Pattern);
                at = secret.end();
            }
            if at > 0 {
                out.push_str(searched.get(at..)?);
                clean = Some(out);
            }
        }
        clean
    }

    fn count(&self, kind: Kind) {
        if let Some(counter) = self.taken.get(kind as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a match of a pattern takes out: its first group, or all of it.
fn secret_of<'t>(found: &regex::Captures<'t>) -> Option<regex::Match<'t>> {
    found.get(1).or(found.get(0)).filter(|secret| !secret.is_empty())
}

#[cfg(test)]
mod tests;
