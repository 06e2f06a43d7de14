//! Attribute values and lists: AnyValue from protobuf, with limits and redaction on the way.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::reading::Reading;
use super::redact::Redactor;
use super::wire::Cursor;
use super::{Limits, Malformed, name};
use crate::signals::telemetry::{Attributes, Value};
use crate::signals::vocabulary::Attr;

/// Longest name of an attribute, in bytes.
pub const KEY: usize = 1024;

/// Adds one attribute to a list: redacted, cut to the limits.
pub fn push<'a>(list: &mut Attributes<'a>, key: Cow<'a, str>, value: Value<'a>, limits: &Limits) {
    if list.len() < limits.attributes && !key.is_empty() {
        let key = limits.redactor.text(cut_text(key, KEY));
        let value = name::attribute(&key, limits.redactor.attribute(&key, cut(value, limits)));
        list.push(key, value);
    }
}

/// A string or JSON text at most as long as the limit, at a character's end.
pub fn cut<'a>(value: Value<'a>, limits: &Limits) -> Value<'a> {
    match value {
        Value::Str(text) if text.len() > limits.value_bytes => Value::Str(cut_text(text, limits.value_bytes)),
        Value::Json(text) if text.len() > limits.value_bytes => {
            Value::Json(cut_text(text, limits.value_bytes))
        }
        Value::Bytes(bytes) if bytes.len() > limits.value_bytes => {
            Value::Bytes(Cow::Owned(bytes.get(..limits.value_bytes).unwrap_or(&[]).to_vec()))
        }
        short => short,
    }
}

/// Whether a value is longer than the limit, and will be cut.
pub fn is_long(value: &Value<'_>, limits: &Limits) -> bool {
    let bytes = match value {
        Value::Str(text) | Value::Json(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    bytes > limits.value_bytes
}

/// At most `longest` bytes of a text, at a character's end.
pub fn cut_text(text: Cow<'_, str>, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return text;
    }
    let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or("")),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// Reads a KeyValue into a list.
pub fn key_value<'a>(message: &'a [u8], list: &mut Attributes<'a>, limits: &Limits) -> Result<(), Malformed> {
    let (key, value) = pair(message, limits)?;
    push(list, key, value, limits);
    Ok(())
}

/// Reads a KeyValue into a list whose texts are kept. Gives what the vocabulary has of its key, where that was asked.
pub fn kept_key_value<'a>(
    message: &'a [u8],
    list: &mut Attributes<'a>,
    reading: &mut Reading,
) -> Result<Option<(Attr, bool)>, Malformed> {
    if let Some((key, value)) = usual_pair(message) {
        return Ok(reading.push(list, Cow::Borrowed(key), value));
    }
    let (key, value) = pair(message, &reading.limits)?;
    Ok(reading.push(list, key, value))
}

/// The usual form: key, then a value that is one text or one integer, in that order and once each. None for any other.
#[inline]
fn usual_pair(message: &[u8]) -> Option<(&str, Value<'_>)> {
    let (key, rest) = part(message, 0x0a)?;
    let (value, rest) = part(rest, 0x12)?;
    if !rest.is_empty() {
        return None;
    }
    let value = match value.first()? {
        0x0a => {
            let (text, rest) = part(value, 0x0a)?;
            let text = std::str::from_utf8(text).ok().filter(|_| rest.is_empty())?;
            Value::Str(Cow::Borrowed(text))
        }
        0x18 => {
            let mut number = Cursor::new(value.get(1..)?);
            let integer = number.varint().ok()?;
            number.is_done().then_some(Value::Int(integer as i64))?
        }
        _ => return None,
    };
    Some((std::str::from_utf8(key).ok()?, value))
}

/// A length-delimited field of this tag and of less than 128 bytes, and what follows it.
#[inline(always)]
fn part(message: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match message {
        [first, length, rest @ ..] if *first == tag && *length < 0x80 => {
            rest.split_at_checked(usize::from(*length))
        }
        _ => None,
    }
}

fn pair<'a>(message: &'a [u8], limits: &Limits) -> Result<(Cow<'a, str>, Value<'a>), Malformed> {
    let mut cursor = Cursor::new(message);
    let (mut key, mut value) = (Cow::Borrowed(""), AnyValue::default());
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => key = field.text()?,
            2 => value.merge(field.bytes()?, limits)?,
            _ => {}
        }
    }
    Ok((key, value.finish(limits)))
}

/// An AnyValue while it is read: a message that comes in pieces is what its pieces say together.
#[derive(Debug, Default)]
pub struct AnyValue<'a> {
    value: Value<'a>,
    /// The array or map, where that is what it is.
    branch: Json,
    room: Room,
}

impl<'a> AnyValue<'a> {
    /// Takes in one piece.
    pub fn merge(&mut self, message: &'a [u8], limits: &Limits) -> Result<(), Malformed> {
        let mut cursor = Cursor::new(message);
        while let Some((number, field)) = cursor.field()? {
            if number == 5 || number == 6 {
                if self.branch.is_null() {
                    (self.value, self.room) = (Value::Empty, Room::new(limits));
                }
                branch(number, field.bytes()?, limits.nesting, &mut self.branch, &mut self.room)?;
                continue;
            }
            self.value = match number {
                1 => Value::Str(field.text()?),
                2 => Value::Bool(field.integer()? != 0),
                3 => Value::Int(field.integer()? as i64),
                4 => Value::Double(field.double()?),
                7 => Value::Bytes(Cow::Borrowed(field.bytes()?)),
                // An index into a table that only profiles have; it stands in the place of a value all the same.
                8 => field.integer32().map(|_| Value::Empty)?,
                _ => continue,
            };
            self.branch = Json::Null;
        }
        Ok(())
    }

    /// The value. Arrays and maps become their JSON text.
    pub fn finish(self, limits: &Limits) -> Value<'a> {
        if self.branch.is_null() { self.value } else { text_of(self.branch, limits) }
    }
}

/// The text of an array or a map, without the secrets in it.
pub fn text_of<'a>(mut branch: Json, limits: &Limits) -> Value<'a> {
    limits.redactor.tree(&mut branch);
    Value::Json(Cow::Owned(branch.to_string()))
}

/// Bytes of text that an array or a map may still fill: what is left out of the text is not built first.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    left: usize,
    redactor: &'static Redactor,
}

impl Default for Room {
    fn default() -> Self {
        Room { left: 0, redactor: Redactor::usual() }
    }
}

impl Room {
    /// Room for one value.
    pub fn new(limits: &Limits) -> Room {
        Room { left: limits.value_bytes, redactor: limits.redactor }
    }

    /// Whether there is none.
    pub fn is_full(self) -> bool {
        self.left == 0
    }

    /// A text, as much of it as fits.
    pub fn text(&mut self, text: Cow<'_, str>) -> String {
        let text = cut_text(text, self.left).into_owned();
        self.take(text.len());
        text
    }

    /// Takes what an item needs besides its text: quotes, a comma, the digits of a number.
    pub fn item(&mut self) {
        self.take(4);
    }

    fn take(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

/// An ArrayValue (field 5 of AnyValue) or a KeyValueList (field 6), added to what came of it before.
fn branch(
    number: u32,
    message: &[u8],
    depth: usize,
    into: &mut Json,
    room: &mut Room,
) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(message);
    match (number, &mut *into) {
        (5, Json::Array(_)) | (6, Json::Object(_)) => {}
        (5, _) => *into = Json::Array(Vec::new()),
        _ => *into = Json::Object(Map::new()),
    }
    while let Some((number, field)) = cursor.field()? {
        if number != 1 {
            continue;
        }
        let item = field.bytes()?;
        let deeper = deeper(depth)?;
        let full = room.is_full();
        room.item();
        match into {
            Json::Array(items) => {
                let mut value = Json::Null;
                tree(item, deeper, &mut value, room)?;
                if !full {
                    items.push(value);
                }
            }
            Json::Object(members) => {
                let (key, value) = entry(item, deeper, room)?;
                if !full {
                    members.insert(key, value);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn entry(message: &[u8], depth: usize, room: &mut Room) -> Result<(String, Json), Malformed> {
    let mut cursor = Cursor::new(message);
    let (mut key, mut value) = (String::new(), Json::Null);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => key = room.text(field.text()?),
            2 => tree(field.bytes()?, depth, &mut value, room)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// An AnyValue within an array or a map.
fn tree(message: &[u8], depth: usize, into: &mut Json, room: &mut Room) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        *into = match number {
            1 => room.text(field.text()?).into(),
            2 => (field.integer()? != 0).into(),
            3 => (field.integer()? as i64).into(),
            4 => number_of(field.double()?),
            5 | 6 => {
                branch(number, field.bytes()?, depth, into, room)?;
                continue;
            }
            7 => hex(field.bytes()?, room).into(),
            8 => field.integer32().map(|_| Json::Null)?,
            _ => continue,
        };
    }
    Ok(())
}

/// Bytes within an array or a map, as hexadecimal digits; where a secret is among them, as text without it.
pub fn hex(bytes: &[u8], room: &mut Room) -> String {
    let shown = bytes.get(..bytes.len().min(room.left / 2)).unwrap_or_default();
    match room.redactor.bytes(shown) {
        Some(clean) => room.text(Cow::Owned(clean)),
        None => room.text(Value::Bytes(Cow::Borrowed(shown)).text()),
    }
}

/// A double as JSON: NaN and the infinities as strings.
pub fn number_of(value: f64) -> Json {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Json::Number)
}

/// One level less of nesting; at none left the body is refused.
pub fn deeper(depth: usize) -> Result<usize, Malformed> {
    depth.checked_sub(1).ok_or_else(|| Malformed("a value is nested more than 32 levels deep".into()))
}
