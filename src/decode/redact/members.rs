//! Values whose name says that they are secret, in every way that programs write a name before a value.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::kind::Kind;
use super::names::Names;
use super::scan::{Finding, position, token_length};
use super::{MARK, Secrecy};

/// Longest name that is looked at, in bytes.
const NAME: usize = 64;
/// Longest list of an XML element's attributes.
const ATTRIBUTES: usize = 256;
/// Longest text behind `Basic` that is decoded.
const BASIC: usize = 4096;
/// Longest value behind a colon without quotes.
const SPOKEN: usize = 4096;
/// What a sentence goes on with where it only speaks of a password.
const SENTENCE: [&str; 27] = [
    "not", "is", "was", "must", "may", "should", "cannot", "can", "has", "had", "the", "and", "or", "for",
    "of", "to", "too", "no", "none", "null", "true", "false", "invalid", "missing", "required", "expired",
    "wrong",
];

/// A name before `=` or `:` and where it stands.
struct Name<'t> {
    text: &'t str,
    from: usize,
    /// The quote around it, and how many backslashes stand before that.
    quote: Option<(u8, usize)>,
}

/// `token=…`, `"token": "…"`, `Authorization: …`: the value of the name before the sign at `sign`.
pub fn pair(text: &[u8], names: &Names, floor: usize, sign: usize) -> Option<Finding> {
    let is_equals = text.get(sign) == Some(&b'=');
    if is_equals && text.get(sign + 1) == Some(&b'=') {
        // A comparison.
        return None;
    }
    let name = name_before(text, floor, sign)?;
    let secrecy = names.secrecy(name.text);
    let is_arrow = is_equals && text.get(sign + 1) == Some(&b'>');
    let mut value = sign + 1 + usize::from(is_arrow);
    let spaces = text.get(value..)?.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if !is_equals || is_arrow || matches!(text.get(sign - 1), Some(b' ')) || name.quote.is_some() {
        value += spaces;
    }
    if !is_secret(secrecy) {
        return weak(text, &name, value).filter(|_| is_equals && secrecy != Secrecy::Left);
    }
    let rest = text.get(value..)?;
    if is_marked(rest) {
        return None;
    }
    if let Some(found) = quoted(rest, name.quote.map_or(0, |(_, escape)| escape)) {
        return found.map(|(kept, taken)| Finding::new(Kind::Key, value + kept, taken));
    }
    let is_header = header(name.text);
    if let Some((kept, taken)) = scheme(rest, true) {
        return Some(Finding::new(Kind::Scheme, value + kept, taken));
    }
    if is_scheme_marked(rest) {
        return None;
    }
    if matches!(rest.first(), Some(b'[' | b'{')) {
        return Some(Finding::new(Kind::Key, value, balanced(rest)));
    }
    let taken = if is_header {
        let taken = to_line_end(rest, text.get(..name.from)?.last().copied());
        let value = rest.get(..taken)?;
        // "authorization: required" is no header.
        (is_mixed(value) || value.len() >= 24 || value.contains(&b'=')).then_some(taken)?
    } else if name.quote.is_some() {
        bare(rest, secrecy)?
    } else if is_equals {
        rest.iter().position(ends_value).unwrap_or(rest.len())
    } else {
        spoken(rest, secrecy, spaces > 0)?
    };
    (taken > 0).then(|| Finding::new(Kind::Key, value, taken))
}

/// `token%3D…` in an address within an address.
pub fn encoded(text: &[u8], names: &Names, floor: usize, sign: usize) -> Option<Finding> {
    let mut name = name_before(text, floor, sign)?;
    // `%3Ftoken`, `%26token`: the two digits belong to the sign before the name.
    if name.from > 0 && text.get(name.from - 1) == Some(&b'%') {
        name.text = name.text.get(2..)?;
    }
    let value = sign + 3;
    let rest = text.get(value..)?;
    if !is_secret(names.secrecy(name.text)) || is_marked(rest) {
        return None;
    }
    let length = rest.iter().position(ends_value).unwrap_or(rest.len());
    let taken = position(rest.get(..length)?, b"%26").unwrap_or(length);
    (taken > 0).then(|| Finding::new(Kind::Key, value, taken))
}

/// `<Password>…<`: the text of the element whose first tag ends at `end`. What stands in the tag was read before.
pub fn element(text: &[u8], names: &Names, end: usize) -> Option<Finding> {
    let before = text.get(end.saturating_sub(NAME + ATTRIBUTES)..end)?;
    let open = before.iter().rposition(|byte| matches!(byte, b'<' | b'>'))?;
    let tag = before.get(open..)?.strip_prefix(b"<").filter(|tag| !tag.ends_with(b"/"))?;
    let length = tag.iter().take(NAME).take_while(|byte| in_name(byte) || **byte == b':').count();
    let name = std::str::from_utf8(tag.get(..length)?).ok()?;
    let name = name.rsplit(':').next().filter(|name| !name.is_empty())?;
    if !is_secret(names.secrecy(name)) {
        return None;
    }
    let inner = text.get(end + 1..)?;
    let taken = match inner.starts_with(b"<![CDATA[") {
        true => position(inner, b"]]>").map_or(inner.len(), |end| end + 3),
        false => inner.iter().position(|byte| *byte == b'<').unwrap_or(inner.len()),
    };
    let is_empty = inner.get(..taken)?.iter().all(u8::is_ascii_whitespace);
    let bare = inner.trim_ascii_start();
    let bare = bare.strip_prefix(b"\"").or(bare.strip_prefix(b"'")).unwrap_or(bare);
    (!is_empty && !is_marked(bare)).then(|| Finding::new(Kind::Key, end + 1, taken))
}

/// `--password …` on a command line.
pub fn flag(text: &[u8], names: &Names, at: usize) -> Option<Finding> {
    let before = at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    if !before.is_ascii_whitespace() && !matches!(before, b'"' | b'\'') {
        return None;
    }
    let rest = text.get(at + 2..)?;
    let length = rest.iter().take(NAME).take_while(|byte| in_name(byte)).count();
    let name = std::str::from_utf8(rest.get(..length)?).ok()?;
    let value = rest.get(length..)?.strip_prefix(b" ")?;
    if name.starts_with('-') || name.contains("--") {
        return None;
    }
    if !is_secret(names.secrecy(name))
        || value.starts_with(b"-")
        || is_marked(value)
        || is_scheme_marked(value)
    {
        return None;
    }
    let from = at + 3 + length;
    if let Some((kept, taken)) = scheme(value, true) {
        return Some(Finding::new(Kind::Scheme, from + kept, taken));
    }
    match quoted(value, 0) {
        Some(found) => found.map(|(kept, taken)| Finding::new(Kind::Key, from + kept, taken)),
        None => {
            let taken = value.iter().position(ends_value).unwrap_or(value.len());
            (taken > 0).then(|| Finding::new(Kind::Key, from, taken))
        }
    }
}

/// (bytes kept, bytes of the secret after them) of `Bearer …` and `Basic …`. Where a name says that it is a secret,
/// whatever follows is one; in a sentence it must look like one: "Basic authentication failed".
pub fn scheme(text: &[u8], is_certain: bool) -> Option<(usize, usize)> {
    let (kept, is_basic) = scheme_words(text)?;
    let rest = text.get(kept..)?;
    let taken = token_length(rest);
    let token = rest.get(..taken)?;
    let looks = || {
        if is_basic {
            return is_basic_pair(token);
        }
        // `Bearer realm="…"` is what a server asks with, `token_type=bearer expires_in=3600` what one answers.
        let bare = token.iter().position(|byte| *byte == b'=').unwrap_or(taken);
        let is_parameter = token.get(bare..).is_some_and(|rest| rest.iter().any(|byte| *byte != b'='))
            || (bare < taken && rest.get(taken) == Some(&b'"'));
        taken >= 8 && !is_parameter && (taken >= 40 || is_mixed(token))
    };
    ((is_certain && taken > 0) || looks()).then_some((kept, taken))
}

/// Bytes of the scheme's word and the blanks behind it, and whether it is `Basic`. `Bearer Bearer …` is what comes of
/// adding it to what has it already.
fn scheme_words(text: &[u8]) -> Option<(usize, bool)> {
    let (mut kept, mut is_basic) = (0, None);
    for _ in 0..4 {
        let rest = text.get(kept..)?;
        let length = if starts_with(rest, b"basic ") {
            is_basic = Some(true);
            6
        } else if starts_with(rest, b"bearer ") {
            is_basic = Some(false);
            7
        } else {
            break;
        };
        kept += length;
        kept += text.get(kept..)?.iter().take_while(|byte| **byte == b' ').count();
    }
    Some((kept, is_basic?))
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
}

/// Whether this is base64 of `user:password`.
fn is_basic_pair(token: &[u8]) -> bool {
    let bare = token.iter().position(|byte| *byte == b'=').unwrap_or(token.len());
    let Some(bare) = token.get(..bare).filter(|bare| bare.len() >= 4) else { return false };
    if bare.len() > BASIC {
        return true;
    }
    [STANDARD_NO_PAD.decode(bare), URL_SAFE_NO_PAD.decode(bare)]
        .into_iter()
        .flatten()
        .any(|plain| plain.contains(&b':'))
}

/// Letters with digits or capitals among them: no word of a sentence.
fn is_mixed(token: &[u8]) -> bool {
    token.iter().any(u8::is_ascii_digit) || token.iter().skip(1).any(u8::is_ascii_uppercase)
}

fn is_secret(secrecy: Secrecy) -> bool {
    matches!(secrecy, Secrecy::Secret | Secrecy::Plain)
}

/// Headers whose value goes on to the line's end, with blanks and semicolons in it.
fn header(name: &str) -> bool {
    let ends = |word: &str| {
        name.len()
            .checked_sub(word.len())
            .and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    ends("cookie") || ends("cookies") || ends("authorization")
}

/// `?code=…`, `&key=…`: names that mean many things, so only in an address, and only what looks like a token.
fn weak(text: &[u8], name: &Name<'_>, value: usize) -> Option<Finding> {
    let in_query = name.from == 0 || matches!(text.get(name.from - 1), Some(b'?' | b'&'));
    let is_weak = ["key", "code", "assertion", "ticket", "nonce"]
        .iter()
        .any(|weak| name.text.eq_ignore_ascii_case(weak));
    if !in_query || !is_weak {
        return None;
    }
    let rest = text.get(value..)?;
    let taken = rest.iter().position(ends_value).unwrap_or(rest.len());
    let token = rest.get(..taken)?;
    let is_token =
        taken >= 16 && token.iter().any(u8::is_ascii_digit) && token.iter().any(u8::is_ascii_alphabetic);
    is_token.then(|| Finding::new(Kind::Key, value, taken))
}

fn in_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The name before a sign, behind a blank and a quote or not.
fn name_before(text: &[u8], floor: usize, sign: usize) -> Option<Name<'_>> {
    let before = text.get(floor..sign)?;
    let blank = before.iter().rev().take(2).take_while(|byte| **byte == b' ').count();
    let before = before.get(..before.len() - blank)?;
    let (quote, before) = match before.split_last()? {
        (quote @ (b'"' | b'\''), inner) => {
            let escape = inner.iter().rev().take_while(|byte| **byte == b'\\').count();
            (Some((*quote, escape)), inner.get(..inner.len() - escape)?)
        }
        _ => (None, before),
    };
    let length = before.iter().rev().take(NAME + 1).take_while(|byte| in_name(byte)).count();
    if length == 0 || length > NAME {
        return None;
    }
    let from = before.len() - length;
    let text = std::str::from_utf8(before.get(from..)?).ok()?;
    Some(Name { text, from: floor + from, quote })
}

/// What ends a value that has no quotes. A comma does only where a blank or a name follows, which is not known here:
/// rather too much goes than too little.
fn ends_value(byte: &u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b'&' | b';' | b'"' | b'\'' | b'#' | b'<' | b'>' | b'`' | b'\\')
}

/// A value in quotes: (bytes kept, bytes of the secret), none where it is empty. The outer none is a value without.
fn quoted(rest: &[u8], escape: usize) -> Option<Option<(usize, usize)>> {
    let slashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    // Python, Rust and PHP: b'…', u"…", Some("…").
    let lead = match rest.get(slashes..)? {
        [b'b' | b'u' | b'r', b'"' | b'\'', ..] => 1,
        [b'S', b'o', b'm', b'e', b'(', b'"', ..] => 5,
        _ => 0,
    };
    let quote = *rest.get(slashes + lead)?;
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return None;
    }
    let kept = slashes + lead + 1;
    let inner = rest.get(kept..)?;
    let taken = end_of_string(inner, quote, escape.max(slashes));
    Some((taken > 0 && !is_marked(inner)).then_some((kept, taken)))
}

/// Where a string ends whose own quotes stand behind `escape` backslashes.
fn end_of_string(value: &[u8], quote: u8, escape: usize) -> usize {
    let mut backslashes = 0;
    for (at, byte) in value.iter().enumerate() {
        match byte {
            b'\\' => backslashes += 1,
            byte if *byte == quote && backslashes <= escape => return at - backslashes,
            _ => backslashes = 0,
        }
    }
    value.len()
}

/// Whether nothing is left to take out.
fn is_marked(rest: &[u8]) -> bool {
    rest.starts_with(MARK.as_bytes())
}

fn is_scheme_marked(rest: &[u8]) -> bool {
    scheme_words(rest).and_then(|(kept, _)| rest.get(kept..)).is_some_and(is_marked)
}

/// An array or an object, up to the bracket that closes it.
fn balanced(rest: &[u8]) -> usize {
    let (mut depth, mut quote, mut escaped) = (0u32, None, false);
    for (at, byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (Some(_), b'\\') => escaped = !escaped,
            (Some(open), byte) if *byte == open && !escaped => quote = None,
            (Some(_), _) => escaped = false,
            (None, b'"') => quote = Some(b'"'),
            (None, b'[' | b'{') => depth += 1,
            (None, b']' | b'}') => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    rest.len()
}

/// A header's value: to the end of its line, or to the quote that was opened before its name.
fn to_line_end(rest: &[u8], before: Option<u8>) -> usize {
    let quote = before.filter(|byte| matches!(byte, b'"' | b'\''));
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n') || Some(*byte) == quote;
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    let line = rest.get(..end).unwrap_or_default();
    line.windows(2).position(|two| two == b"\\n" || two == b"\\r").unwrap_or(end)
}

/// A JSON value without quotes: a number under the plainest names, and what a sender forgot to quote.
fn bare(rest: &[u8], secrecy: Secrecy) -> Option<usize> {
    let taken =
        rest.iter().position(|byte| matches!(byte, b'"' | b',' | b'}' | b']' | b'\n')).unwrap_or(rest.len());
    let value = rest.get(..taken)?.trim_ascii();
    let is_word = [&b"null"[..], b"None", b"true", b"false", b"True", b"False"].contains(&value);
    let is_number =
        value.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    (!is_word && (secrecy == Secrecy::Plain || !is_number)).then_some(taken)
}

/// A value behind a colon in what may be a sentence: `password: hunter2` is one, `token: expired` is none.
fn spoken(rest: &[u8], secrecy: Secrecy, is_apart: bool) -> Option<usize> {
    let ends = |byte: &u8| ends_value(byte) || matches!(byte, b',' | b'}' | b')' | b']');
    let taken = rest.iter().take(SPOKEN).position(ends).unwrap_or(rest.len().min(SPOKEN));
    let value = rest.get(..taken)?;
    let goes_on = SENTENCE.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    let is_value = match secrecy {
        Secrecy::Plain => !goes_on || !is_apart,
        _ => value.len() >= 8 && is_mixed(value),
    };
    is_value.then_some(taken)
}
