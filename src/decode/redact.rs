//! The obvious secrets, taken out before anything is observed or kept. The text around them stays readable.

use std::borrow::Cow;

use crate::signals::telemetry::Value;
use crate::signals::vocabulary::Attr;

/// What stands where a secret stood.
pub const MARK: &str = "[redacted]";

/// Words in a key that make its whole value a secret.
const SECRET_KEYS: [&str; 14] = [
    "authorization",
    "cookie",
    "password",
    "passwd",
    "secret",
    "api_key",
    "api-key",
    "apikey",
    "token",
    "private_key",
    "private-key",
    "session_id",
    "credentials",
    "hapikey",
];

/// Query parameters and JSON members whose value is a secret though their name is short.
const SECRET_PARAMETERS: [&str; 6] = ["key", "sig", "signature", "code", "auth", "pwd"];

/// Longest name of a parameter or member that is looked at, in bytes.
const LONGEST_KEY: usize = 64;

/// How secrets of well-known makers begin.
const PREFIXES: [&str; 17] = [
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "xoxb-",
    "xoxa-",
    "xoxp-",
    "shpat_",
    "pat-na1-",
    "pat-eu1-",
    "AKIA",
];

/// What a key says of the values under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Nothing: a text is searched, a number is shown.
    Open,
    /// A text is a secret as a whole. A count of tokens is no token: a number is shown.
    Secret,
    /// A number is one too: the plainest of names.
    Plain,
}

/// What a key says of the values under it. Names of the vocabulary are never secret as a whole.
pub fn secrecy(key: &str) -> Secrecy {
    match (is_secret_key(key), is_plainly_secret(key)) {
        (true, true) => Secrecy::Plain,
        (true, false) => Secrecy::Secret,
        // No plain name is open but one of the vocabulary.
        (false, _) => Secrecy::Open,
    }
}

/// An attribute's value with its secrets taken out.
pub fn attribute<'a>(key: &str, value: Value<'a>) -> Value<'a> {
    under(secrecy(key), value)
}

/// A value with its secrets taken out, under a key of which this is known.
pub fn under(secrecy: Secrecy, value: Value<'_>) -> Value<'_> {
    let holds_text = matches!(value, Value::Str(_) | Value::Json(_) | Value::Bytes(_));
    if (holds_text && secrecy != Secrecy::Open)
        || (!matches!(value, Value::Empty | Value::Bool(_)) && !holds_text && secrecy == Secrecy::Plain)
    {
        return Value::Str(Cow::Borrowed(MARK));
    }
    match value {
        Value::Str(raw) => Value::Str(text(raw)),
        // Trees were cleaned member by member when they were read.
        other => other,
    }
}

/// A free text with its secrets taken out.
pub fn text(text: Cow<'_, str>) -> Cow<'_, str> {
    match text_of(&text) {
        Some(clean) => Cow::Owned(clean),
        None => text,
    }
}

/// Takes the secrets out of a tree of values, by key and by text.
pub fn tree(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => {
            if let Some(clean) = text_of(text) {
                *text = clean;
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(tree),
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                if is_secret_key(key) && !member.is_null() {
                    *member = MARK.into();
                } else {
                    tree(member);
                }
            }
        }
        _ => {}
    }
}

/// Whether even a number under this key is a secret.
fn is_plainly_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "passwd", "secret"].iter().any(|word| key.ends_with(word))
}

fn is_secret_key(key: &str) -> bool {
    if Attr::from_wire(key).is_some()
        || key.ends_with("expires_at")
        || (key.ends_with("_tokens") && !key.contains("access") && !key.contains("refresh"))
    {
        return false;
    }
    let key = key.to_ascii_lowercase();
    let squeezed = || key.replace(['_', '-'], "");
    SECRET_KEYS.iter().any(|word| key.contains(word))
        || ["privatekey", "sessionid", "accesskey"].iter().any(|word| squeezed().contains(word))
}

/// The text without its secrets; none when it holds none, which is nearly always and costs one pass.
fn text_of(text: &str) -> Option<String> {
    if !may_hold_secret(text.as_bytes()) {
        return None;
    }
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let before = text.get(..at).unwrap_or("");
        if let Some((kept, taken)) = secret_at(before, rest) {
            clean.push_str(rest.get(..kept).unwrap_or(""));
            clean.push_str(MARK);
            at += kept + taken;
        } else {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            clean.push_str(rest.get(..next).unwrap_or(""));
            at += next;
        }
    }
    (clean != text).then_some(clean)
}

/// What a byte can begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Digit,
    /// Stands between the digits of a number.
    Gap,
    /// May begin a secret, or stand before one.
    Sign,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Nothing; 256];
    let signs = b"Bb=@\"e_Axp";
    let mut at = 0;
    while at < signs.len() {
        kinds[signs[at] as usize] = Kind::Sign;
        at += 1;
    }
    let mut digit = b'0';
    while digit <= b'9' {
        kinds[digit as usize] = Kind::Digit;
        digit += 1;
    }
    kinds[b' ' as usize] = Kind::Gap;
    kinds[b'-' as usize] = Kind::Gap;
    kinds
};

/// Whether a text is worth a closer look.
fn may_hold_secret(bytes: &[u8]) -> bool {
    let mut digits = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match KINDS[*byte as usize] {
            Kind::Nothing => digits = 0,
            Kind::Digit => {
                digits += 1;
                if digits >= 13 {
                    return true;
                }
            }
            Kind::Gap => {
                if *byte == b'-' && follows(bytes, at, b"-----begin") {
                    return true;
                }
            }
            Kind::Sign => {
                digits = 0;
                let found = match byte {
                    b'B' | b'b' => follows(bytes, at, b"bearer ") || follows(bytes, at, b"basic "),
                    b'"' => follows(bytes, at, b"\":") || follows(bytes, at, b"\" :"),
                    b'e' => follows(bytes, at, b"eyJ"),
                    b'A' => follows(bytes, at, b"AKIA"),
                    b'x' => follows(bytes, at, b"xox"),
                    b'p' => follows(bytes, at, b"pat-"),
                    _ => true,
                };
                if found {
                    return true;
                }
            }
        }
    }
    false
}

/// Whether a word stands here, whatever its case.
fn follows(bytes: &[u8], at: usize, word: &[u8]) -> bool {
    bytes.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
}

/// (bytes kept, bytes of the secret after them) of the secret that starts here.
fn secret_at(before: &str, rest: &str) -> Option<(usize, usize)> {
    let starts_word = !before.ends_with(|c: char| c.is_ascii_alphanumeric());
    if starts_word {
        let token = || if before.ends_with(['.', '_', '-']) { None } else { json_web_token(rest) };
        if let Some(found) = scheme(rest).or_else(|| prefixed(rest)).or_else(token) {
            return Some(found);
        }
        if let Some(digits) = card(rest) {
            return Some((0, digits));
        }
        if let Some(found) = member(before, rest) {
            return Some(found);
        }
    }
    if rest.starts_with("-----BEGIN") {
        let end = rest.find("-----END").and_then(|at| Some(at + 8 + rest.get(at + 8..)?.find("-----")? + 5));
        return Some((0, end.unwrap_or(rest.len())));
    }
    user_info(rest)
}

fn token_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"._~+/=-".contains(byte)).count()
}

/// `Bearer …` and `Basic …`.
fn scheme(rest: &str) -> Option<(usize, usize)> {
    let kept = [7, 6].into_iter().find(|kept| {
        rest.get(..*kept)
            .is_some_and(|word| word.eq_ignore_ascii_case("bearer ") || word.eq_ignore_ascii_case("basic "))
    })?;
    let taken = token_length(rest.get(kept..)?);
    (taken >= 8).then_some((kept, taken))
}

/// Keys whose maker is known by their beginning.
fn prefixed(rest: &str) -> Option<(usize, usize)> {
    let prefix = PREFIXES.iter().find(|prefix| rest.starts_with(**prefix))?;
    let tail = rest.get(prefix.len()..)?;
    let length = tail.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte)).count();
    (length >= 8).then_some((0, prefix.len() + length))
}

fn json_web_token(rest: &str) -> Option<(usize, usize)> {
    if !rest.starts_with("eyJ") {
        return None;
    }
    let length = token_length(rest);
    let dots = rest.get(..length)?.bytes().filter(|byte| *byte == b'.').count();
    (dots >= 2 && length >= 20).then_some((0, length))
}

/// `://user:password@`.
fn user_info(rest: &str) -> Option<(usize, usize)> {
    let authority = rest.strip_prefix("://")?.split(['/', '?', '#', ' ', '"']).next()?;
    let taken = authority.rfind('@')?;
    (taken > 0).then_some((3, taken))
}

/// `token=…` in a query or a form, `"token": "…"` in JSON.
fn member(before: &str, rest: &str) -> Option<(usize, usize)> {
    // A key that is longer is none: without this bound a text of underscores would be read once from each byte.
    let in_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let name = rest.bytes().take(LONGEST_KEY + 1).take_while(in_key).count();
    if name > LONGEST_KEY || before.ends_with(['_', '-']) {
        return None;
    }
    let key = rest.get(..name).filter(|key| !key.is_empty())?;
    let after = rest.get(name..)?;
    let secret =
        || is_secret_key(key) || SECRET_PARAMETERS.iter().any(|short| key.eq_ignore_ascii_case(short));
    if let Some(value) = after.strip_prefix('=') {
        // A word before `=` is a parameter at the start, or behind what separates parameters.
        if before.ends_with('.') || !secret() {
            return None;
        }
        // `authorization=Bearer …`: the scheme's name is not where the value ends.
        let until_space = || value.find(['&', ';', ' ', '"', '#', '\n']).unwrap_or(value.len());
        let taken = scheme(value).map_or_else(until_space, |(kept, taken)| kept + taken);
        return (taken > 0 && !value.starts_with(MARK)).then_some((name + 1, taken));
    }
    if !before.ends_with('"') || !is_secret_key(key) {
        return None;
    }
    // JSON within JSON escapes its quotes; the value's end is a quote behind as many backslashes as its start.
    let escape = after.bytes().take_while(|byte| *byte == b'\\').count();
    let after = after.get(escape..)?.strip_prefix('"')?.trim_start().strip_prefix(':')?.trim_start();
    let Some(value) = after.trim_start_matches('\\').strip_prefix('"') else {
        if !is_plainly_secret(key) {
            return None;
        }
        // A number, or what a sender wrote without its quotes: all of it, up to the next member.
        let taken = after.find(['"', ',', '}', ']', '\n']).unwrap_or(after.len());
        return (taken > 0 && !after.starts_with("null")).then_some((rest.len() - after.len(), taken));
    };
    let taken = end_of_string(value, escape);
    (taken > 0 && !value.starts_with(MARK)).then_some((rest.len() - value.len(), taken))
}

/// Where a JSON string ends whose own quotes stand behind `escape` backslashes.
fn end_of_string(value: &str, escape: usize) -> usize {
    let mut backslashes = 0;
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b'\\' => backslashes += 1,
            b'"' if backslashes <= escape => return at - backslashes,
            _ => backslashes = 0,
        }
        if byte == b'"' {
            backslashes = 0;
        }
    }
    value.len()
}

/// The length of a payment card's number: 13 to 19 digits that pass Luhn, in groups or not.
fn card(rest: &str) -> Option<usize> {
    if !rest.starts_with(['2', '3', '4', '5', '6']) {
        return None;
    }
    let mut digits = Vec::new();
    let mut end = 0;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'0'..=b'9' if digits.len() > 19 => return None,
            b'0'..=b'9' => {
                digits.push(u32::from(byte - b'0'));
                end = at + 1;
            }
            b' ' | b'-' if end == at => {}
            _ => break,
        }
    }
    let ends_word = !rest.get(end..)?.starts_with(|c: char| c.is_ascii_alphanumeric());
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    (ends_word && (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)).then_some(end)
}

#[cfg(test)]
mod tests;
