//! A checked cursor over JSON text. It reads in one pass and builds no tree, so that a body's structure costs no
//! memory: `[[],[],…]` is ten times its own size as a tree, and small objects are eighty times theirs.

use std::borrow::Cow;

use super::Malformed;

/// Arrays and objects within each other: as deep as the bits of the stack that tells them apart.
const DEPTH: u32 = 128;
/// Characters of what was found that a sentence shows.
const SHOWN: usize = 60;

/// Walks a JSON text.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

fn broken(at: usize, what: &str) -> Malformed {
    Malformed(format!("the body is not JSON: {what} at byte {at}"))
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of a text.
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    /// Refuses what stands behind the value that was read.
    pub fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(broken(self.at, "something stands behind its end")),
        }
    }

    /// The first byte of the next value, or whatever else comes next.
    pub fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Reads an object; `read` takes each member's value, whole.
    pub fn object(
        &mut self,
        mut read: impl FnMut(&mut Self, &str) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'{')?;
        let mut more = !self.take(b'}');
        while more {
            let key = self.string()?;
            self.expect(b':')?;
            read(self, &key)?;
            more = self.goes_on(b'}')?;
        }
        Ok(())
    }

    /// Reads an array; `read` takes each item, whole.
    pub fn array(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'[')?;
        let mut more = !self.take(b']');
        while more {
            read(self)?;
            more = self.goes_on(b']')?;
        }
        Ok(())
    }

    /// Takes a null, if that is what comes.
    pub fn null(&mut self) -> Result<bool, Malformed> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    /// Reads a string. Half a surrogate pair becomes U+FFFD.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let raw = self.raw_string()?;
        Ok(if raw.contains('\\') { Cow::Owned(unescaped(raw)) } else { Cow::Borrowed(raw) })
    }

    /// Passes over a value and gives its text. However deep it is, the stack is not.
    pub fn skip(&mut self) -> Result<&'a str, Malformed> {
        self.peek();
        let from = self.at;
        // One bit for each level: 1 is an object.
        let (mut open, mut depth) = (0u128, 0u32);
        loop {
            let first = self.peek();
            if let Some(bracket @ (b'{' | b'[')) = first {
                self.at += 1;
                let is_object = bracket == b'{';
                if !self.take(if is_object { b'}' } else { b']' }) {
                    if depth == DEPTH {
                        return Err(broken(self.at, "more than 128 levels"));
                    }
                    (open, depth) = (open << 1 | u128::from(is_object), depth + 1);
                    if is_object {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar(first)?;
            }
            // A value has ended, and with it perhaps those around it.
            loop {
                if depth == 0 {
                    return Ok(self.text.get(from..self.at).unwrap_or_default());
                }
                let is_object = open & 1 == 1;
                if self.goes_on(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                (open, depth) = (open >> 1, depth - 1);
            }
        }
    }

    /// A sentence on a value of the wrong type, which is taken.
    pub fn wrong(&mut self, key: &str, wanted: &str) -> Malformed {
        match self.skip() {
            Ok(found) => wrong(key, found, wanted),
            Err(broken) => broken,
        }
    }

    fn key(&mut self) -> Result<(), Malformed> {
        self.raw_string()?;
        self.expect(b':')
    }

    /// Whether a comma comes; else the bracket that ends.
    fn goes_on(&mut self, end: u8) -> Result<bool, Malformed> {
        if self.take(b',') {
            return Ok(true);
        }
        self.expect(end).map(|()| false)
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Malformed> {
        if self.take(wanted) {
            return Ok(());
        }
        Err(match self.peek() {
            None => broken(self.at, "it is cut short"),
            Some(_) => broken(self.at, &format!("no `{}`", char::from(wanted))),
        })
    }

    fn word(&mut self, word: &str) -> Result<(), Malformed> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(broken(self.at, "a word that is not true, false or null"));
        }
        self.at += word.len();
        Ok(())
    }

    fn scalar(&mut self, first: Option<u8>) -> Result<(), Malformed> {
        match first {
            Some(b'"') => self.raw_string().map(drop),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(broken(self.at, "no value")),
            None => Err(broken(self.at, "it is cut short")),
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let from = self.at;
        self.at += usize::from(self.here() == Some(b'-'));
        let starts_with_zero = self.here() == Some(b'0');
        let whole = self.digits();
        let mut good = whole == 1 || (whole > 1 && !starts_with_zero);
        if self.here() == Some(b'.') {
            self.at += 1;
            good &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = self.here() {
            self.at += 1;
            self.at += usize::from(matches!(self.here(), Some(b'+' | b'-')));
            good &= self.digits() > 0;
        }
        if good { Ok(()) } else { Err(broken(from, "no number")) }
    }

    fn here(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }

    /// The inside of a string, its escapes checked and left as they are.
    fn raw_string(&mut self) -> Result<&'a str, Malformed> {
        self.expect(b'"')?;
        let from = self.at;
        let bytes = self.text.as_bytes();
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            self.at += plain.unwrap_or(rest.len());
            match self.here() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let escape = bytes.get(self.at + 1..).unwrap_or_default();
                    self.at += match escape {
                        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
                        [b'u', hex @ ..]
                            if hex.iter().take(4).filter(|h| h.is_ascii_hexdigit()).count() == 4 =>
                        {
                            6
                        }
                        _ => return Err(broken(self.at, "an escape that does not exist")),
                    };
                }
                Some(_) => return Err(broken(self.at, "a control character in a string")),
                None => return Err(broken(self.at, "it is cut short")),
            }
        }
        self.at += 1;
        Ok(self.text.get(from..self.at - 1).unwrap_or_default())
    }
}

/// A sentence on a value of the wrong type.
pub fn wrong(key: &str, found: &str, wanted: &str) -> Malformed {
    let mut shown: String = found.chars().take(SHOWN + 1).collect();
    if shown.chars().count() > SHOWN {
        shown.pop();
        shown.push('…');
    }
    Malformed(format!("{key} is {shown}; it must be {wanted}"))
}

/// The text of a string whose escapes were checked.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(rest.get(..at).unwrap_or_default());
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let mut length = 2;
        text.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, bytes) = unicode(rest.get(at..).unwrap_or_default());
                length = bytes;
                character
            }
            itself => char::from(itself),
        });
        rest = rest.get(at + length..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// The character of `\u….` or of two of them, and the bytes that it took.
fn unicode(escape: &str) -> (char, usize) {
    let half = |at: usize| {
        let digits = escape.get(at..).and_then(|rest| rest.strip_prefix("\\u"))?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut halves = [half(0), half(6)].into_iter().map_while(|half| half);
    match char::decode_utf16(halves.by_ref()).next() {
        Some(Ok(character)) => (character, 6 * character.len_utf16()),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What a scanner makes of a text, by way of its readers.
    fn tree(scanner: &mut Scanner<'_>) -> Result<Value, Malformed> {
        match scanner.peek() {
            Some(b'{') => {
                let mut members = serde_json::Map::new();
                scanner.object(|scanner, key| {
                    members.insert(key.to_owned(), tree(scanner)?);
                    Ok(())
                })?;
                Ok(Value::Object(members))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                scanner.array(|scanner| {
                    items.push(tree(scanner)?);
                    Ok(())
                })?;
                Ok(Value::Array(items))
            }
            Some(b'"') => Ok(scanner.string()?.into_owned().into()),
            _ => serde_json::from_str(scanner.skip()?).map_err(|error| Malformed(error.to_string())),
        }
    }

    fn read(text: &str) -> Result<Value, Malformed> {
        let mut scanner = Scanner::new(text);
        let value = tree(&mut scanner)?;
        scanner.end()?;
        let mut skipped = Scanner::new(text);
        assert_eq!(skipped.skip(), Ok(text.trim_matches([' ', '\n', '\r', '\t'])), "skipping sees the same");
        Ok(value)
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // The other parser is not exact in the last digit of others.
            any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_json_is_read_as_what_it_is(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            prop_assert_eq!(read(&text.unwrap()).unwrap(), value);
        }

        #[test]
        fn what_is_none_is_refused_as_another_parser_refuses_it(text in r#"[\[\]{},:"\\ntrue0-9.eEu+ -]{0,12}"#) {
            let theirs = serde_json::from_str::<Value>(&text);
            prop_assert_eq!(read(&text).is_ok(), theirs.is_ok(), "{}: {:?}", text, theirs);
        }
    }

    #[test]
    fn escapes_are_what_they_stand_for() {
        let cases = [
            (r#""a\n\t\"\\\/\b\f\r""#, "a\n\t\"\\/\u{8}\u{c}\r"),
            (r#""\u00e9\ud83d\ude00""#, "é😀"),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ];
        for (text, wanted) in cases {
            assert_eq!(Scanner::new(text).string().unwrap(), wanted, "{text}");
        }
        for text in [r#""\x""#, r#""\u12""#, "\"\n\"", "\"", r#""\"#, r#""\u123"#] {
            assert!(Scanner::new(text).string().is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded_and_costs_no_stack() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Scanner::new(&deep(128)).skip().is_ok());
        assert!(Scanner::new(&deep(130)).skip().unwrap_err().0.contains("128 levels"));
        assert!(Scanner::new(&"[".repeat(1_000_000)).skip().is_err());
        assert!(Scanner::new(&"{\"a\":".repeat(200_000)).skip().is_err());
    }
}
