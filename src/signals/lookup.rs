//! Where a name is looked for: the record, then its scope, then its resource (vocabulary, lookup order).

use super::telemetry::{Attributes, Value};
use super::vocabulary::Attr;

/// Looks a name up on the record, then its scope, then its resource.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'l, 'a> {
    /// The record's attributes.
    pub own: &'l Attributes<'a>,
    /// Its scope's.
    pub scope: &'l Attributes<'a>,
    /// Its resource's.
    pub resource: &'l Attributes<'a>,
}

impl<'l, 'a> Lookup<'l, 'a> {
    /// The value that stands.
    pub fn get(&self, attr: Attr) -> Option<&'l Value<'a>> {
        self.own.get(attr).or_else(|| self.scope.get(attr)).or_else(|| self.resource.get(attr))
    }

    /// Its text, when it is a string that is not empty.
    pub fn str(&self, attr: Attr) -> Option<&'l str> {
        self.get(attr).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Its integer.
    pub fn i64(&self, attr: Attr) -> Option<i64> {
        self.get(attr).and_then(Value::as_i64)
    }

    /// Its boolean; false when there is none.
    pub fn bool(&self, attr: Attr) -> bool {
        self.get(attr).and_then(Value::as_bool).unwrap_or(false)
    }
}
