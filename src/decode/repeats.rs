//! Attributes that stand where the same bytes stood in a span before: read once.
//!
//! Spans of one sender carry the same attributes in the same order, most with the value of the span before: method,
//! host, port, status. Comparing their bytes is a tenth of the work of reading them, and what follows from them (texts,
//! redaction, names) follows from their bytes alone.

use std::borrow::Cow;

use super::Malformed;
use super::reading::Reading;
use super::value::kept_key_value;
use crate::signals::telemetry::{Attributes, Value};
use crate::signals::vocabulary::Attr;

/// So many places of a list are remembered.
const PLACES: usize = 32;
/// So many attributes of each: values that take turns are all known. By their end, where they differ most.
const EACH: usize = 64;

/// What stood in the places of a list.
#[derive(Debug, Default)]
pub struct Repeats<'a> {
    places: Vec<Place<'a>>,
}

/// Empty until a second record has something there: most requests are of few.
type Place<'a> = Vec<Option<Known<'a>>>;

/// An attribute and what it was read as.
#[derive(Clone, Copy, Debug)]
struct Known<'a> {
    message: &'a [u8],
    key: &'a str,
    value: Said<'a>,
    attr: Option<(Attr, bool)>,
    numbers: (u32, u32),
}

/// A value that is as it stands in the message.
#[derive(Clone, Copy, Debug)]
enum Said<'a> {
    Text(&'a str),
    Integer(i64),
}

impl<'a> Repeats<'a> {
    /// Reads a KeyValue into a list whose texts are kept.
    #[inline]
    pub fn key_value(
        &mut self,
        message: &'a [u8],
        list: &mut Attributes<'a>,
        reading: &mut Reading,
    ) -> Result<(), Malformed> {
        let place = list.len();
        let known = self.places.get(place).and_then(|known| known.get(slot(message)));
        if let Some(Some(known)) = known.filter(|known| known.is_some_and(|known| known.message == message)) {
            let value = match known.value {
                Said::Text(text) => Value::Str(Cow::Borrowed(text)),
                Said::Integer(number) => Value::Int(number),
            };
            list.push_known(Cow::Borrowed(known.key), value, known.attr, known.numbers);
            return Ok(());
        }
        let attr = kept_key_value(message, list, reading)?;
        self.learn(place, message, list, attr);
        Ok(())
    }

    fn learn(&mut self, place: usize, message: &'a [u8], list: &Attributes<'a>, attr: Option<(Attr, bool)>) {
        // What was left out, or has no numbers, is read again each time.
        let Some((Cow::Borrowed(key), value, numbers)) = list.latest().filter(|_| list.len() == place + 1)
        else {
            return;
        };
        let value = match value {
            Value::Str(Cow::Borrowed(text)) => Said::Text(text),
            Value::Int(number) => Said::Integer(*number),
            _ => return,
        };
        match self.places.get_mut(place) {
            None if place < PLACES => self.places.resize(place + 1, Place::new()),
            None => {}
            Some(known) => {
                known.resize(EACH, None);
                if let Some(slot) = known.get_mut(slot(message)) {
                    *slot = Some(Known { message, key, value, attr, numbers });
                }
            }
        }
    }
}

/// Where an attribute is looked for.
fn slot(message: &[u8]) -> usize {
    let end = message.last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end));
    (end.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % EACH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::decode::Limits;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

    /// Attributes of a span as they are told: keys and values of few kinds, so that they repeat, secrets among them.
    fn told() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let key = prop::sample::select(vec![
            "http.request.method",
            "url.full",
            "db.password",
            "gen_ai.token",
            "integration.name",
            "note",
            "",
        ]);
        let value = prop_oneof![
            prop::sample::select(vec!["GET", "POST", "a\u{202e}b", "https://x/?token=abc", "hunter2", ""])
                .prop_map(|text| any_value::Value::StringValue(text.into())),
            (0i64..3).prop_map(any_value::Value::IntValue),
            any::<bool>().prop_map(any_value::Value::BoolValue),
            (0u8..3).prop_map(|n| any_value::Value::DoubleValue(f64::from(n))),
        ];
        let pair = (key, prop::option::of(value)).prop_map(|(key, value)| {
            let value = Some(AnyValue { value });
            KeyValue { key: key.into(), value, ..KeyValue::default() }.encode_to_vec()
        });
        prop::collection::vec(pair, 0..8)
    }

    proptest! {
        #[test]
        fn what_repeats_reads_as_if_it_were_read_each_time(spans in prop::collection::vec(told(), 0..12)) {
            let limits = Limits { attributes: 6, ..Limits::default() };
            let (mut reading, mut plainly) = (Reading::new(limits), Reading::new(limits));
            let mut repeats = Repeats::default();
            for span in &spans {
                let (mut list, mut wanted) = (Attributes::default(), Attributes::default());
                for message in span {
                    repeats.key_value(message, &mut list, &mut reading).unwrap();
                    kept_key_value(message, &mut wanted, &mut plainly).unwrap();
                }
                prop_assert_eq!(list.numbers(), wanted.numbers());
                let pairs = |list: &Attributes<'_>| -> Vec<(String, String)> {
                    list.iter().map(|(key, value)| (key.to_owned(), format!("{value:?}"))).collect()
                };
                prop_assert_eq!(pairs(&list), pairs(&wanted));
                for attr in [Attr::HttpMethod, Attr::UrlFull, Attr::IntegrationName] {
                    prop_assert_eq!(list.get(attr), wanted.get(attr));
                }
            }
        }
    }
}
