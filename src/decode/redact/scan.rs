//! One pass over a text.
//!
//! The text is read word by word (letters and digits), and only the byte behind a word says what could stand here:
//! `=` a parameter, `@` an address, `_` a maker's token. So the price of a text without secrets is a look at each byte
//! in a table and a look at each word's end. What is looked at before a sign is bounded, and what is read behind it is
//! either taken out or bounded too: the time is linear whatever the text is.

use super::kind::{Kind, Kinds};
use super::names::Names;
use super::{mail, makers, members, numbers, urls};

/// A secret: bytes `from..to` of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What it is.
    pub kind: Kind,
}

impl Finding {
    /// A secret of a length.
    pub fn new(kind: Kind, from: usize, length: usize) -> Finding {
        Finding { from, to: from + length, kind }
    }
}

/// Within so many bytes a web token has its two dots.
const JWT: usize = 8192;
/// So many letters and digits in a row are worth a look whatever follows.
const LONG: usize = 15;

const WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut at = 0;
    while at < 256 {
        word[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    word
};

/// The secrets of a text, in order.
#[derive(Debug)]
pub struct Scan<'s> {
    text: &'s [u8],
    names: &'s Names,
    kinds: Kinds,
    at: usize,
    /// What lies before was taken out or cannot be part of what comes.
    floor: usize,
}

impl<'s> Scan<'s> {
    /// A look at a text for these kinds.
    pub fn new(text: &'s str, names: &'s Names, kinds: Kinds) -> Scan<'s> {
        Scan { text: text.as_bytes(), names, kinds, at: 0, floor: 0 }
    }

    /// What a word may be that goes from `word` to `end`, and what the byte behind it may mean.
    #[inline]
    fn look(&mut self, word: usize, end: usize) -> Option<Finding> {
        let length = end - word;
        if length >= LONG
            && let Some(found) = self.long(word, end)
        {
            return Some(found);
        }
        let sign = *self.text.get(end)?;
        match sign {
            b'_' | b'-' | b'.' | b'$' | b'!' | b'/' => {
                let maker = || {
                    let text = self.starting(word)?;
                    Some(Finding::new(Kind::Maker, word, makers::find(text)?))
                };
                let mut found = (length >= 2 || sign == b'/').then(maker).flatten();
                if sign == b'-' {
                    found = found.or_else(|| self.groups(word, length)).or_else(|| self.dashes(end));
                }
                found
            }
            b' ' | b'\t' => self.scheme(word, length).or_else(|| self.groups(word, length)),
            b':' if self.text.get(end..)?.starts_with(b"://") => urls::find(self.text, end),
            b'=' | b':' => members::pair(self.text, self.names, self.floor, end),
            b'@' => self.email(end, end + 1),
            b'%' => self.encoded(end),
            b'>' => members::element(self.text, self.names, end),
            b'+' if self.kinds.has(Kind::Phone) => {
                let length = numbers::phone(self.text.get(end..)?)?;
                (length > 0).then(|| Finding::new(Kind::Phone, end, length))
            }
            _ => None,
        }
    }

    /// The text from a word on, if that is where it begins.
    fn starting(&self, word: usize) -> Option<&'s [u8]> {
        let before = word.checked_sub(1).and_then(|at| self.text.get(at));
        // Behind what was taken out another token may begin at once.
        (word == self.floor || before.is_none_or(|byte| !WORD[usize::from(*byte)]))
            .then(|| self.text.get(word..))
            .flatten()
    }

    fn long(&self, word: usize, end: usize) -> Option<Finding> {
        let text = self.starting(word)?;
        let run = text.get(..end - word)?;
        let all_digits = || run.iter().all(u8::is_ascii_digit);
        let before = word.checked_sub(1).and_then(|at| self.text.get(at)).copied().unwrap_or(b' ');
        if run.starts_with(b"eyJ") && !matches!(before, b'.' | b'_' | b'-') {
            let length = token_length(text.get(..text.len().min(JWT))?);
            let dots = text.get(..length)?.iter().filter(|byte| **byte == b'.').count();
            if dots >= 2 {
                return Some(Finding::new(Kind::Jwt, word, token_length(text)));
            }
        }
        if let Some(length) = makers::find(text).or_else(|| makers::mailchimp(run, self.text.get(end..)?)) {
            return Some(Finding::new(Kind::Maker, word, length));
        }
        // The digits behind a point are a fraction, and those behind a dash may be the rest of an id.
        if !matches!(before, b'.' | b',' | b'_') && run.len() <= 19 && all_digits() {
            return Some(Finding::new(Kind::Card, word, numbers::card(text)?));
        }
        // Hashes and ids in lower case, which most long words are, are no account.
        let is_account = run.first().is_some_and(u8::is_ascii_uppercase);
        is_account.then(|| numbers::iban(text)).flatten().map(|length| Finding::new(Kind::Iban, word, length))
    }

    /// `4242 4242 4242 4242`, `DE89 3704 …`.
    fn groups(&self, word: usize, length: usize) -> Option<Finding> {
        if length != 4 {
            return None;
        }
        let text = self.starting(word)?;
        let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
        let is_capital = |at: usize| text.get(at).is_some_and(u8::is_ascii_uppercase);
        if is_capital(0) && is_capital(1) && is_digit(2) && is_digit(3) {
            return Some(Finding::new(Kind::Iban, word, numbers::iban(text)?));
        }
        // A group before these four: then they are the middle of a longer number.
        let before = self.text.get(..word)?;
        let goes_on = before.ends_with(b"-") && before.iter().nth_back(1).is_some_and(u8::is_ascii_digit);
        if !(0..4).all(is_digit) || !is_digit(5) || goes_on {
            return None;
        }
        Some(Finding::new(Kind::Card, word, numbers::card(text)?))
    }

    /// `Bearer …` and `Basic …`.
    fn scheme(&self, word: usize, length: usize) -> Option<Finding> {
        if !matches!(length, 5 | 6) {
            return None;
        }
        let (kept, taken) = members::scheme(self.starting(word)?, false)?;
        Some(Finding::new(Kind::Scheme, word + kept, taken))
    }

    /// `-----BEGIN …`, `--password …`.
    fn dashes(&self, at: usize) -> Option<Finding> {
        let rest = self.text.get(at..)?;
        // One key behind another, without a line's end: the dashes between them are of both.
        let is_first = at == self.floor || self.text.get(..at).is_none_or(|before| !before.ends_with(b"-"));
        if !is_first || !rest.starts_with(b"--") {
            return None;
        }
        if rest.starts_with(b"-----BEGIN ") {
            let end = position(rest, b"-----END ").map(|end| end + 9);
            let end = end.and_then(|end| Some(end + position(rest.get(end..)?, b"-----")? + 5));
            return Some(Finding::new(Kind::Pem, at, end.unwrap_or(rest.len())));
        }
        members::flag(self.text, self.names, at)
    }

    fn email(&self, at: usize, behind: usize) -> Option<Finding> {
        let (from, to) = mail::find(self.text, self.floor, at, behind)?;
        Some(Finding { from, to, kind: Kind::Email })
    }

    /// What a percent sign encodes: `%40` is an address's `@`, `%3D` a parameter's `=`.
    fn encoded(&self, at: usize) -> Option<Finding> {
        match self.text.get(at + 1..at + 3)? {
            b"40" => self.email(at, at + 3),
            b"3D" | b"3d" => members::encoded(self.text, self.names, self.floor, at),
            _ => None,
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Finding;

    #[inline]
    fn next(&mut self) -> Option<Finding> {
        while self.at < self.text.len() {
            let word = self.at;
            let rest = self.text.get(word..)?;
            let length = rest.iter().position(|byte| !WORD[usize::from(*byte)]).unwrap_or(rest.len());
            let end = word + length;
            if let Some(found) = self.look(word, end)
                && self.kinds.has(found.kind)
                && found.from >= self.floor
                && found.to > found.from
            {
                (self.at, self.floor) = (found.to, found.to);
                return Some(found);
            }
            self.at = end + 1;
            // JSON within JSON: `\n` is a line's end and no `n`.
            if self.text.get(end) == Some(&b'\\')
                && matches!(self.text.get(end + 1), Some(b'n' | b'r' | b't' | b'b' | b'f'))
            {
                self.at = end + 2;
            }
        }
        None
    }
}

/// Bytes of a token as headers have them (RFC 6750).
pub fn token_length(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"._~+/=-".contains(byte)).count()
}

/// Where a word first stands.
pub fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|found| found == word)
}
