//! Attributes and AnyValue from JSON, with the same limits as from protobuf.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::super::scan::Scanner;
use super::super::value::{Room, deeper, hex, number_of, push, text_of};
use super::super::{Limits, Malformed};
use super::mapping::{base64, boolean, double, fields, integer, items, text};
use crate::signals::telemetry::{Attributes, Value};

/// The name and the attributes of a resource or a scope.
pub fn holder<'a>(
    of: &'a str,
    name: &str,
    limits: &Limits,
) -> Result<(Cow<'a, str>, Attributes<'a>), Malformed> {
    let (mut called, mut list) = (Cow::Borrowed(""), Attributes::default());
    fields(&mut Scanner::new(of), name, |s, key| {
        match key {
            "name" => called = text(s, key)?,
            "attributes" => list = attributes(s, limits)?,
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    Ok((limits.redactor.text(called), list))
}

/// A list of attributes.
pub fn attributes<'a>(s: &mut Scanner<'a>, limits: &Limits) -> Result<Attributes<'a>, Malformed> {
    let mut list = Attributes::default();
    items(s, "attributes", |s| {
        let (mut name, mut value) = (Cow::Borrowed(""), Value::Empty);
        fields(s, "attributes", |s, key| {
            match key {
                "key" => name = text(s, key)?,
                "value" => value = any_value(s, limits)?,
                _ => drop(s.skip()?),
            }
            Ok(())
        })?;
        push(&mut list, name, value, limits);
        Ok(())
    })?;
    Ok(list)
}

/// An AnyValue; the last of what it holds stands.
pub fn any_value<'a>(s: &mut Scanner<'a>, limits: &Limits) -> Result<Value<'a>, Malformed> {
    let mut value = Value::Empty;
    fields(s, "value", |s, key| {
        value = match key {
            "stringValue" => Value::Str(text(s, key)?),
            "boolValue" => Value::Bool(boolean(s, key)?),
            "intValue" => Value::Int(int(s, key)?),
            "doubleValue" => Value::Double(double(s, key)?),
            "bytesValue" => Value::Bytes(Cow::Owned(base64(s, key)?)),
            "arrayValue" | "kvlistValue" => {
                text_of(branch(s, key, limits.nesting, &mut Room::new(limits))?, limits)
            }
            _ => return s.skip().map(drop),
        };
        Ok(())
    })?;
    Ok(value)
}

fn int(s: &mut Scanner<'_>, key: &str) -> Result<i64, Malformed> {
    i64::try_from(integer(s, key)?).map_err(|_| Malformed("intValue does not fit 64 bits".into()))
}

/// An ArrayValue or a KeyValueList as plain JSON.
fn branch(s: &mut Scanner<'_>, key: &str, depth: usize, room: &mut Room) -> Result<Json, Malformed> {
    let is_array = key == "arrayValue";
    let (mut list, mut members) = (Vec::new(), Map::new());
    fields(s, key, |s, key| {
        if key != "values" {
            return s.skip().map(drop);
        }
        items(s, key, |s| {
            if !is_array && s.null()? {
                return Ok(());
            }
            let deeper = deeper(depth)?;
            let full = room.is_full();
            room.item();
            if is_array {
                let value = tree(s, deeper, room)?;
                if !full {
                    list.push(value);
                }
            } else {
                let (name, value) = entry(s, deeper, room)?;
                if !full {
                    members.insert(name, value);
                }
            }
            Ok(())
        })
    })?;
    Ok(if is_array { Json::Array(list) } else { Json::Object(members) })
}

fn entry(s: &mut Scanner<'_>, depth: usize, room: &mut Room) -> Result<(String, Json), Malformed> {
    let (mut name, mut value) = (String::new(), Json::Null);
    fields(s, "values", |s, key| {
        match key {
            "key" => name = room.text(text(s, key)?),
            "value" => value = tree(s, depth, room)?,
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    Ok((name, value))
}

/// An AnyValue within an array or a map.
fn tree(s: &mut Scanner<'_>, depth: usize, room: &mut Room) -> Result<Json, Malformed> {
    let mut value = Json::Null;
    fields(s, "value", |s, key| {
        value = match key {
            "stringValue" => room.text(text(s, key)?).into(),
            "boolValue" => boolean(s, key)?.into(),
            "intValue" => int(s, key)?.into(),
            "doubleValue" => number_of(double(s, key)?),
            "bytesValue" => hex(&base64(s, key)?, room).into(),
            "arrayValue" | "kvlistValue" => branch(s, key, depth, room)?,
            _ => return s.skip().map(drop),
        };
        Ok(())
    })?;
    Ok(value)
}
