//! What integrations say of the shapes of bodies (vocabulary section 5): never a value, only paths and types.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::endpoint::cut;
use super::fact::{Message, Said, Shape, Violation};
use super::lookup::Lookup;
use super::telemetry::{Log, Refusal, Value};
use super::vocabulary::Attr;

/// Most paths of a shape.
const PATHS: usize = 1_000;
/// Most types of a path.
const TYPES: usize = 8;
/// Longest name of a type, in bytes.
const TYPE: usize = 24;

/// Reads `integration.contract.shape`.
pub fn shape(look: &Lookup<'_, '_>, log: &Log<'_>) -> Result<Said, Refusal> {
    let fingerprint = needed(look, Attr::ContractFingerprint)?;
    let endpoint = needed(look, Attr::Endpoint)?;
    let message = message(look)?;
    let count = match look.get(Attr::RecordsCount) {
        None => 1,
        Some(value) => value.as_i64().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
            Refusal::Owned(format!(
                "{} is \"{}\", not a count",
                Attr::RecordsCount.name(),
                cut(&value.text())
            ))
        })?,
    };
    Ok(Said::Shape(Shape { endpoint, message, fingerprint, types: types(&log.body)?, count }))
}

/// The body of a shape: a map of JSON path → types. No body where the event only counts.
fn types(body: &Value<'_>) -> Result<Option<BTreeMap<String, Vec<String>>>, Refusal> {
    let text = body.text();
    if text.trim().is_empty() {
        return Ok(None);
    }
    let wrong = || Refusal::Borrowed("its body is not a map of JSON paths to lists of types");
    let map: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).map_err(|_| wrong())?;
    if map.len() > PATHS {
        return Err(Refusal::Owned(format!("its body has {} paths, more than {PATHS}", map.len())));
    }
    let name = |value: &serde_json::Value| match value.as_str() {
        Some(name) if name.len() <= TYPE => Ok(name.to_owned()),
        _ => Err(wrong()),
    };
    let mut types = BTreeMap::new();
    for (path, value) in map {
        let mut names = match &value {
            serde_json::Value::Array(items) => {
                items.iter().take(TYPES).map(name).collect::<Result<_, _>>()?
            }
            one => vec![name(one)?],
        };
        names.sort();
        names.dedup();
        types.insert(cut(&path).to_owned(), names);
    }
    Ok(Some(types))
}

/// Reads `integration.contract.violation`.
pub fn violation(look: &Lookup<'_, '_>) -> Result<Said, Refusal> {
    let text = |attr| look.get(attr).map(|value| cut(&value.text()).to_owned()).unwrap_or_default();
    Ok(Said::Violation(Violation {
        endpoint: needed(look, Attr::Endpoint)?,
        message: message(look)?,
        path: needed(look, Attr::ContractPath)?,
        kind: text(Attr::ContractKind),
        expected: text(Attr::ContractExpected),
        found: text(Attr::ContractFound),
    }))
}

fn message(look: &Lookup<'_, '_>) -> Result<Message, Refusal> {
    match look.str(Attr::ContractDirection) {
        None | Some("response") => Ok(Message::Response),
        Some("request") => Ok(Message::Request),
        Some("event") => Ok(Message::Event),
        Some(other) => Err(Refusal::Owned(format!(
            "{} is \"{}\", not request, response or event",
            Attr::ContractDirection.name(),
            cut(other)
        ))),
    }
}

fn needed(look: &Lookup<'_, '_>, attr: Attr) -> Result<Arc<str>, Refusal> {
    let text = look.str(attr).ok_or_else(|| Refusal::Owned(format!("no {}", attr.name())))?;
    Ok(Arc::from(cut(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::telemetry::Attributes;

    const ENDPOINT: (&str, &str) = ("integration.endpoint", "GET /orders");
    const PRINT: (&str, &str) = ("integration.contract.fingerprint", "f1");
    const PATH: (&str, &str) = ("integration.contract.path", "$.total");

    fn read<T>(
        pairs: &[(&'static str, &'static str)],
        body: &'static str,
        read: impl FnOnce(&Lookup<'_, '_>, &Log<'_>) -> T,
    ) -> T {
        let mut log = Log { body: Value::Json(body.into()), ..Log::default() };
        for (key, value) in pairs {
            log.attributes.push((*key).into(), Value::Str((*value).into()));
        }
        let none = Attributes::default();
        read(&Lookup { own: &log.attributes, scope: &none, resource: &none }, &log)
    }

    fn shape_of(pairs: &[(&'static str, &'static str)], body: &'static str) -> Result<Shape, Refusal> {
        match read(pairs, body, shape)? {
            Said::Shape(shape) => Ok(shape),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_shape_is_read_whole_or_only_counted() {
        let body = r#"{"$.id":["string"],"$.total":["number","null","number"],"$.note":"string"}"#;
        let shape = shape_of(&[ENDPOINT, PRINT], body).unwrap();
        let types = shape.types.unwrap();
        assert_eq!(types["$.total"], ["null", "number"], "in order, each once");
        assert_eq!((types["$.note"].len(), shape.count, shape.message), (1, 1, Message::Response));
        let event = ("integration.contract.direction", "event");
        let counted = shape_of(&[ENDPOINT, PRINT, event, ("integration.records.count", "40")], "").unwrap();
        assert_eq!((counted.types, counted.count, counted.message), (None, 40, Message::Event));
    }

    #[test]
    fn a_shape_without_its_names_or_with_another_body_is_refused() {
        let why =
            |pairs: &[(&'static str, &'static str)], body| shape_of(pairs, body).unwrap_err().into_owned();
        assert_eq!(why(&[PRINT], "{}"), "no integration.endpoint");
        assert_eq!(why(&[ENDPOINT], "{}"), "no integration.contract.fingerprint");
        for body in
            ["[1]", "\"x\"", "{\"a\":1}", "{\"a\":[1]}", "{", "{\"a\":\"a value of somebody's, not a type\"}"]
        {
            assert!(why(&[ENDPOINT, PRINT], body).contains("map of JSON paths"), "{body}");
        }
        let sideways = ("integration.contract.direction", "sideways");
        assert!(why(&[ENDPOINT, PRINT, sideways], "").contains("not request, response or event"));
        let paths: Vec<String> = (0..=PATHS).map(|n| format!("\"$.{n}\":[\"int\"]")).collect();
        let many: &'static str = Box::leak(format!("{{{}}}", paths.join(",")).into_boxed_str());
        assert!(why(&[ENDPOINT, PRINT], many).contains("more than 1000"));
    }

    #[test]
    fn a_violation_says_where_and_what() {
        let of = |pairs: &[(&'static str, &'static str)]| read(pairs, "", |look, _| violation(look));
        let found = [("integration.contract.expected", "number"), ("integration.contract.found", "string")];
        let Said::Violation(said) = of(&[ENDPOINT, PATH, found[0], found[1]]).unwrap() else {
            panic!("no violation")
        };
        assert_eq!((&*said.path, &*said.expected, &*said.found), ("$.total", "number", "string"));
        assert_eq!(of(&[ENDPOINT]).unwrap_err(), "no integration.contract.path");
        assert_eq!(of(&[PATH]).unwrap_err(), "no integration.endpoint");
    }
}
