//! Attribute values and lists: AnyValue from protobuf, with limits and redaction on the way.

use std::borrow::Cow;

use super::wire::{Cursor, Field};
use super::{Limits, Malformed, name, redact};
use crate::signals::telemetry::{Attributes, Value};

/// Adds one attribute to a list: redacted, cut to the limits.
pub fn push<'a>(list: &mut Attributes<'a>, key: Cow<'a, str>, value: Value<'a>, limits: &Limits) {
    if list.len() < limits.attributes && !key.is_empty() {
        let value = name::attribute(&key, redact::attribute(&key, cut(value, limits)));
        list.push(key, value);
    }
}

/// A string or JSON text at most as long as the limit, at a character's end.
fn cut<'a>(value: Value<'a>, limits: &Limits) -> Value<'a> {
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
    push(list, Cow::Borrowed(key), value, limits);
    Ok(())
}

fn pair<'a>(message: &'a [u8], limits: &Limits) -> Result<(&'a str, Value<'a>), Malformed> {
    let mut cursor = Cursor::new(message);
    let (mut key, mut value) = ("", Value::Empty);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => key = field.text()?,
            2 => value = any_value(field.bytes()?, limits)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Reads an AnyValue. Arrays and maps become their JSON text.
pub fn any_value<'a>(message: &'a [u8], limits: &Limits) -> Result<Value<'a>, Malformed> {
    let mut cursor = Cursor::new(message);
    let mut value = Value::Empty;
    while let Some((number, field)) = cursor.field()? {
        value = match number {
            1 => Value::Str(Cow::Borrowed(field.text()?)),
            2 => Value::Bool(field.integer()? != 0),
            3 => Value::Int(field.integer()? as i64),
            4 => Value::Double(field.double()?),
            5 => nested(field, limits, array)?,
            6 => nested(field, limits, map)?,
            7 => Value::Bytes(Cow::Borrowed(field.bytes()?)),
            _ => value,
        };
    }
    Ok(value)
}

type Tree = fn(&[u8], usize) -> Result<serde_json::Value, Malformed>;

fn nested<'a>(field: Field<'a>, limits: &Limits, read: Tree) -> Result<Value<'a>, Malformed> {
    let mut tree = read(field.bytes()?, limits.nesting)?;
    redact::tree(&mut tree);
    Ok(Value::Json(Cow::Owned(tree.to_string())))
}

fn array(message: &[u8], depth: usize) -> Result<serde_json::Value, Malformed> {
    let mut items = Vec::new();
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number == 1 {
            items.push(tree(field.bytes()?, deeper(depth)?)?);
        }
    }
    Ok(serde_json::Value::Array(items))
}

fn map(message: &[u8], depth: usize) -> Result<serde_json::Value, Malformed> {
    let mut items = serde_json::Map::new();
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number != 1 {
            continue;
        }
        let mut entry = Cursor::new(field.bytes()?);
        let (mut key, mut value) = (String::new(), serde_json::Value::Null);
        while let Some((number, field)) = entry.field()? {
            match number {
                1 => key = field.text()?.to_owned(),
                2 => value = tree(field.bytes()?, deeper(depth)?)?,
                _ => {}
            }
        }
        items.insert(key, value);
    }
    Ok(serde_json::Value::Object(items))
}

fn tree(message: &[u8], depth: usize) -> Result<serde_json::Value, Malformed> {
    let mut cursor = Cursor::new(message);
    let mut value = serde_json::Value::Null;
    while let Some((number, field)) = cursor.field()? {
        value = match number {
            1 => field.text()?.into(),
            2 => (field.integer()? != 0).into(),
            3 => (field.integer()? as i64).into(),
            4 => number_of(field.double()?),
            5 => array(field.bytes()?, depth)?,
            6 => map(field.bytes()?, depth)?,
            7 => Value::Bytes(Cow::Borrowed(field.bytes()?)).text().into_owned().into(),
            _ => value,
        };
    }
    Ok(value)
}

/// A double as JSON: NaN and the infinities as strings.
pub fn number_of(value: f64) -> serde_json::Value {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), serde_json::Value::Number)
}

/// One level less of nesting; at none left the body is refused.
pub fn deeper(depth: usize) -> Result<usize, Malformed> {
    depth.checked_sub(1).ok_or_else(|| Malformed("a value is nested more than 32 levels deep".into()))
}
