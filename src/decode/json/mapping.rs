//! The plain parts of proto3's mapping: objects, arrays, texts, numbers, enums, ids.

use std::borrow::Cow;

use base64::Engine;

use super::super::scan::{Scanner, wrong};
use super::super::{Malformed, metrics};

/// The members of an object that are not null; a null is an object without any.
pub fn fields<'a>(
    s: &mut Scanner<'a>,
    name: &str,
    mut read: impl FnMut(&mut Scanner<'a>, &str) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    if s.null()? {
        return Ok(());
    }
    if s.peek() != Some(b'{') {
        return Err(s.wrong(name, "an object"));
    }
    s.object(|s, key| if s.null()? { Ok(()) } else { read(s, key) })
}

/// The items of an array; a null is an array without any.
pub fn items<'a>(
    s: &mut Scanner<'a>,
    name: &str,
    read: impl FnMut(&mut Scanner<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    if s.null()? {
        return Ok(());
    }
    if s.peek() != Some(b'[') {
        return Err(s.wrong(name, "an array"));
    }
    s.array(read)
}

/// The text of each object in the array under a name. A null among them says nothing and is left out.
pub fn each<'a>(
    s: &mut Scanner<'a>,
    wanted: &str,
    mut read: impl FnMut(&'a str) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    fields(s, "an object", |s, key| {
        if key != wanted {
            return s.skip().map(drop);
        }
        items(s, key, |s| match s.skip()? {
            "null" => Ok(()),
            item if item.starts_with('{') => read(item),
            other => Err(wrong(wanted, other, "an object")),
        })
    })
}

/// The text of a member that is there and not null.
pub fn member<'a>(of: &'a str, wanted: &str) -> Result<Option<&'a str>, Malformed> {
    let mut found = None;
    fields(&mut Scanner::new(of), "an object", |s, key| {
        let value = s.skip()?;
        if key == wanted {
            found = Some(value);
        }
        Ok(())
    })?;
    Ok(found)
}

/// A text.
pub fn text<'a>(s: &mut Scanner<'a>, key: &str) -> Result<Cow<'a, str>, Malformed> {
    if s.peek() == Some(b'"') { s.string() } else { Err(s.wrong(key, "a string")) }
}

/// A boolean.
pub fn boolean(s: &mut Scanner<'_>, key: &str) -> Result<bool, Malformed> {
    match s.skip()? {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(wrong(key, other, "true or false")),
    }
}

/// The text of a number, or of a string that may hold one.
fn numeric<'a>(s: &mut Scanner<'a>, key: &str, wanted: &str) -> Result<Cow<'a, str>, Malformed> {
    match s.peek() {
        Some(b'"') => s.string(),
        Some(b'-' | b'0'..=b'9') => s.skip().map(Cow::Borrowed),
        _ => Err(s.wrong(key, wanted)),
    }
}

/// An integer as a number, as a whole float (1.5e18), or as a decimal string.
pub fn integer(s: &mut Scanner<'_>, key: &str) -> Result<i128, Malformed> {
    let text = numeric(s, key, "an integer")?;
    as_integer(text.trim()).ok_or_else(|| wrong(key, &text, "an integer"))
}

fn as_integer(text: &str) -> Option<i128> {
    text.parse().ok().or_else(|| {
        let number = text.parse::<f64>().ok()?;
        (number.fract() == 0.0 && number.abs() < 1.0e19).then_some(number as i128)
    })
}

/// A count; one below 0 is 0.
pub fn unsigned(value: i128) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A 32-bit integer; one that does not fit is 0.
pub fn small(value: i128) -> i32 {
    i32::try_from(value).unwrap_or(0)
}

/// The counts of buckets.
pub fn counts(s: &mut Scanner<'_>, key: &str) -> Result<Vec<u64>, Malformed> {
    let mut counts = Vec::new();
    items(s, key, |s| metrics::push(&mut counts, unsigned(integer(s, key)?)))?;
    Ok(counts)
}

/// A number, or "NaN", "Infinity", "-Infinity" or a number as a string.
pub fn double(s: &mut Scanner<'_>, key: &str) -> Result<f64, Malformed> {
    let is_text = s.peek() == Some(b'"');
    let text = numeric(s, key, "a number")?;
    let number = text.parse().ok().filter(|number: &f64| is_text || number.is_finite());
    number.ok_or_else(|| wrong(key, &text, "a number"))
}

/// Unix nanoseconds; what is not in their range is its nearest end.
pub fn nanos(s: &mut Scanner<'_>, key: &str) -> Result<i64, Malformed> {
    Ok(i64::try_from(integer(s, key)?.max(0)).unwrap_or(i64::MAX))
}

/// An enum as its number, or as its name with or without the common prefix.
pub fn number_or_name(
    s: &mut Scanner<'_>,
    key: &str,
    prefix: &str,
    names: &[&str],
) -> Result<u32, Malformed> {
    let text = numeric(s, key, "a number of the enum")?;
    if let Some(number) = as_integer(text.trim()) {
        return Ok(u32::try_from(number).unwrap_or(0));
    }
    let name = text.strip_prefix(prefix).unwrap_or(&text);
    let at = names.iter().position(|known| *known == name);
    at.map(|at| at as u32).ok_or_else(|| wrong(key, &text, "a number of the enum"))
}

/// An id in hex, any case; all zero, which is invalid, when it is anything else.
pub fn id<const N: usize>(s: &mut Scanner<'_>) -> Result<[u8; N], Malformed> {
    let mut id = [0; N];
    if s.peek() != Some(b'"') {
        return s.skip().map(|_| id);
    }
    let text = s.string()?;
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(id);
    }
    for (at, byte) in id.iter_mut().enumerate() {
        let pair = text.get(2 * at..2 * at + 2);
        *byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0);
    }
    Ok(id)
}

/// Bytes, in any of the four alphabets that senders write.
pub fn base64(s: &mut Scanner<'_>, key: &str) -> Result<Vec<u8>, Malformed> {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    if s.peek() != Some(b'"') {
        return Err(s.wrong(key, "base64"));
    }
    let text = s.string()?;
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(&*text).ok())
        .ok_or_else(|| wrong(key, &text, "base64"))
}
