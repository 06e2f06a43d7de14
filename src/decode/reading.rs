//! What reading one request remembers: limits, the keys of attributes and what follows from them, and the texts.
//!
//! Records of one sender carry the same keys in the same order, and mostly the values of the record before. So a
//! key is first compared with the one that stood in its place, and a value with the last one under its key; only
//! what differs is hashed, looked up and searched for secrets.

use std::borrow::Cow;

use super::redact::Secrecy;
use super::texts::{Found, NONE, Place, Texts};
use super::value::{self, cut_text};
use super::{Limits, name};
use crate::signals::telemetry::{Attributes, Value};
use crate::signals::vocabulary::Attr;

/// So many places of a list are remembered.
const PLACES: usize = 64;
/// So many keys are remembered; what comes after them is read at its full price.
const KEYS: usize = 1024;

/// What follows from a key.
#[derive(Clone, Copy, Debug)]
struct Key {
    text: u32,
    attr: Option<(Attr, bool)>,
    secrecy: Secrecy,
    /// The last text under this key that held no secret.
    last: u32,
    /// The last integer under this key, and its text.
    integer: (i64, u32),
}

/// The memory of one request.
#[derive(Debug)]
pub struct Reading {
    /// Limits on single records.
    pub limits: Limits,
    /// All texts of the rows.
    pub texts: Texts,
    keys: Vec<Key>,
    /// By number of the key's text: its place in `keys`.
    known: Vec<u32>,
    /// By place in a list: the key that stood there last.
    places: [u32; PLACES],
    /// Values that were longer than the limit, and cut.
    pub cut: u64,
    /// Attributes that were one too many, and left out.
    pub left_out: u64,
}

impl Reading {
    /// Nothing read yet.
    pub fn new(limits: Limits) -> Reading {
        Reading {
            limits,
            texts: Texts::default(),
            keys: Vec::new(),
            known: Vec::new(),
            places: [NONE; PLACES],
            cut: 0,
            left_out: 0,
        }
    }

    /// Adds one attribute to a list, redacted and cut to the limits, with the numbers of its texts. Gives what the
    /// vocabulary has of its key, where that was asked.
    pub fn push<'a>(
        &mut self,
        list: &mut Attributes<'a>,
        name: Cow<'a, str>,
        value: Value<'a>,
    ) -> Option<(Attr, bool)> {
        if list.len() >= self.limits.attributes || name.is_empty() {
            self.left_out += u64::from(!name.is_empty());
            return None;
        }
        self.cut += u64::from(value::is_long(&value, &self.limits));
        let short = name.len() <= value::KEY;
        let Some(at) = short.then(|| self.key(list.len(), &name)).flatten() else {
            value::push(list, name, value, &self.limits);
            return None;
        };
        let key = self.keys[at];
        let (value, number) = match value {
            Value::Str(Cow::Borrowed(text)) if key.secrecy == Secrecy::Open => self.text(at, text),
            Value::Int(number)
                if key.secrecy == Secrecy::Open && !self.limits.redactor.is_card(number as f64) =>
            {
                (Value::Int(number), self.integer(at, number))
            }
            other => {
                let clean = self.limits.redactor.under(key.secrecy, value::cut(other, &self.limits));
                let clean = name::under(key.attr, clean);
                let number = self.texts.add(&clean.text());
                (clean, number)
            }
        };
        list.push_known(name, value, key.attr, (key.text, number));
        key.attr
    }

    fn text<'a>(&mut self, at: usize, text: &'a str) -> (Value<'a>, u32) {
        let Key { last, attr, .. } = self.keys[at];
        let is_name = name::is_name(attr);
        let settled = |found: Found| found.clean && (found.visible || !is_name);
        if self.texts.is(last, text) && settled(self.texts.found(last)) {
            return (Value::Str(Cow::Borrowed(text)), last);
        }
        let (known, place) = self.texts.look(text);
        if let Some(known) = known.filter(|known| settled(self.texts.found(*known))) {
            self.keys[at].last = known;
            return (Value::Str(Cow::Borrowed(text)), known);
        }
        let mut clean = self.limits.redactor.text(cut_text(Cow::Borrowed(text), self.limits.value_bytes));
        if is_name {
            clean = name::clean(clean);
        }
        match clean {
            Cow::Borrowed(clean) => {
                let same = known.is_none() && clean.len() == text.len();
                let number = if same { self.texts.put(place, clean) } else { self.texts.add(clean) };
                self.texts.mark(number, Found { clean: true, visible: is_name });
                self.keys[at].last = number;
                (Value::Str(Cow::Borrowed(clean)), number)
            }
            Cow::Owned(clean) => {
                let number = self.texts.add(&clean);
                (Value::Str(Cow::Owned(clean)), number)
            }
        }
    }

    fn integer(&mut self, at: usize, number: i64) -> u32 {
        let (last, text) = self.keys[at].integer;
        if last == number && text != NONE {
            return text;
        }
        let text = self.texts.add(itoa::Buffer::new().format(number));
        self.keys[at].integer = (number, text);
        text
    }

    /// The place of a key in `keys`; none for one too many.
    fn key(&mut self, place: usize, name: &str) -> Option<usize> {
        if let Some(at) = self.places.get(place).map(|at| *at as usize)
            && let Some(key) = self.keys.get(at)
            && self.texts.is(key.text, name)
        {
            return Some(at);
        }
        let (text, found) = self.texts.look(name);
        let known = text.and_then(|text| self.known.get(text as usize).copied()).unwrap_or(NONE);
        let at = if known != NONE { known as usize } else { self.learn(name, text, found)? };
        if let Some(place) = self.places.get_mut(place) {
            *place = at as u32;
        }
        Some(at)
    }

    fn learn(&mut self, name: &str, text: Option<u32>, place: Place) -> Option<usize> {
        // A key that holds a secret itself is rare enough to be read at its full price each time. It is not among the
        // texts even for a moment: all of them are kept, also those that no row names.
        if self.keys.len() >= KEYS || !self.limits.redactor.is_clean(name) {
            return None;
        }
        let text = text.unwrap_or_else(|| self.texts.put(place, name));
        let at = self.keys.len();
        self.keys.push(Key {
            text,
            attr: Attr::from_wire(name),
            secrecy: self.limits.redactor.secrecy(name),
            last: 0,
            integer: (0, NONE),
        });
        if self.known.len() <= text as usize {
            self.known.resize(text as usize + 1, NONE);
        }
        self.known[text as usize] = at as u32;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::redact::MARK;

    fn kept(pairs: &[(&'static str, Value<'static>)]) -> Vec<(String, String)> {
        let (mut reading, mut list) = (Reading::new(Limits::default()), Attributes::default());
        for (name, value) in pairs {
            reading.push(&mut list, Cow::Borrowed(name), value.clone());
        }
        let numbers = list.numbers().expect("each has its numbers");
        let said: Vec<_> =
            list.iter().map(|(key, value)| (key.to_owned(), value.text().into_owned())).collect();
        for (pair, (key, value)) in said.iter().zip(numbers) {
            assert_eq!((&*pair.0, &*pair.1), (reading.texts.get(*key), reading.texts.get(*value)));
        }
        said
    }

    fn values(pairs: &[(&'static str, Value<'static>)]) -> Vec<String> {
        kept(pairs).into_iter().map(|(_, value)| value).collect()
    }

    fn text(text: &'static str) -> Value<'static> {
        Value::Str(Cow::Borrowed(text))
    }

    #[test]
    fn a_secret_is_one_under_each_key_whatever_was_said_before() {
        let hunter = || text("hunter2 and more");
        let pairs = [
            ("note", hunter()),
            ("db.password", hunter()),
            ("note", hunter()),
            ("x.api_key", hunter()),
            ("db.password", Value::Int(42)),
            ("gen_ai.token", Value::Int(42)),
            ("count", Value::Int(42)),
            ("count", Value::Int(42)),
            ("url", text("https://x/?token=abc")),
            ("url", text("https://x/?token=abc")),
        ];
        let said = values(&pairs);
        assert_eq!(said[..4], ["hunter2 and more", MARK, "hunter2 and more", MARK]);
        assert_eq!(said[4..8], [MARK, "42", "42", "42"]);
        assert!(said[8..].iter().all(|url| !url.contains("abc")), "{said:?}");
    }

    #[test]
    fn no_text_that_is_kept_was_ever_a_secret() {
        let (mut reading, mut list) = (Reading::new(Limits::default()), Attributes::default());
        for _ in 0..2 {
            for (name, value) in [
                ("token=keepme1234", text("x")),
                ("ana@keepme.example", Value::Int(1)),
                ("note", text("password=keepme")),
                ("db.password", text("keepme")),
                ("bytes", Value::Bytes(Cow::Borrowed(b"token=keepme"))),
            ] {
                reading.push(&mut list, Cow::Borrowed(name), value);
            }
        }
        let said: Vec<&str> =
            (0..reading.texts.len() as u32).map(|number| reading.texts.get(number)).collect();
        assert!(said.iter().all(|text| !text.contains("keepme")), "{said:?}");
        assert!(list.iter().all(|(key, value)| !key.contains("keepme") && !value.text().contains("keepme")));
        assert_eq!(list.len(), 10);
    }

    #[test]
    fn a_name_shows_all_that_is_in_it_though_the_same_text_stood_elsewhere() {
        let twisted = || text("live\u{202e}\r\nevil");
        let said = values(&[("note", twisted()), ("integration.name", twisted()), ("note", twisted())]);
        assert_eq!(said, ["live\u{202e}\r\nevil", "live evil", "live\u{202e}\r\nevil"]);
        let said = values(&[("integration.name", text("shop")), ("note", text("shop"))]);
        assert_eq!(said, ["shop", "shop"]);
    }
}
