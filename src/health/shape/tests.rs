//! Shapes that drift and shapes that do not.

use super::*;
use crate::rollup::series::Merge;
use crate::signals::fact::{Message, Shape};

const START: i64 = 1_000 * DAY;

/// Messages by (fingerprint, paths with types), counted at minutes.
#[derive(Default)]
struct Told(Shapes);

impl Told {
    fn at(&mut self, minute: i64, print: &str, types: &[(&str, &str)], count: u64) -> &mut Told {
        let types = types.iter().map(|(path, types)| {
            let types = types.split(' ').map(str::to_owned).collect();
            ((*path).to_owned(), types)
        });
        let shape = Shape {
            endpoint: "GET /orders".into(),
            message: Message::Response,
            fingerprint: print.into(),
            types: Some(types.collect()),
            count,
        };
        self.0.merge(&Shapes::of(&shape, (START + minute) * 60_000_000_000));
        self
    }

    /// Eight days, each hour ten.
    fn learned(print: &str, types: &[(&str, &str)]) -> Told {
        let mut told = Told::default();
        for hour in 0..8 * 24 {
            told.at(hour * 60, print, types, 10);
        }
        told
    }

    fn breaking(&self, minute: i64, accepted: Option<i64>) -> Vec<(String, Kind)> {
        let accepted = accepted.map(|minute| Minute(START + minute));
        let learned = learned(&self.0, accepted, Minute(START + minute));
        let breaking = learned.differences.into_iter().filter(Difference::is_breaking);
        breaking.map(|one| (one.path, one.kind)).collect()
    }
}

const ORDER: &[(&str, &str)] = &[("$.id", "string"), ("$.total", "int"), ("$.email", "string")];
const NOW: i64 = 8 * DAY;
const NONE: [(String, Kind); 0] = [];

#[test]
fn a_type_change_is_drift_at_once_until_it_conforms_or_is_accepted() {
    let mut told = Told::learned("a", ORDER);
    assert_eq!(told.breaking(NOW, None), NONE);
    told.at(NOW, "b", &[("$.id", "string"), ("$.total", "string"), ("$.email", "string")], 1);
    assert_eq!(told.breaking(NOW + 1, None), [("$.total".to_owned(), Kind::Type)]);
    let one = learned(&told.0, None, Minute(START + NOW + 1)).differences[0].clone();
    assert_eq!((&*one.before, &*one.now), ("number", "string"));
    assert_eq!(told.breaking(NOW + 2, Some(NOW + 1)), NONE, "a person accepted it");
    told.at(NOW + 60, "a", ORDER, 19);
    assert_eq!(told.breaking(NOW + 61, None).len(), 1);
    told.at(NOW + 61, "a", ORDER, 1);
    assert_eq!(told.breaking(NOW + 62, None), NONE);
}

#[test]
fn one_and_one_and_a_half_are_both_numbers_and_null_is_absent() {
    let mut told = Told::learned("a", ORDER);
    told.at(NOW, "b", &[("$.id", "string"), ("$.total", "number"), ("$.email", "null")], 5);
    assert_eq!(told.breaking(NOW + 1, None), NONE);
    told.at(NOW + 1, "b", &[("$.id", "string"), ("$.total", "number"), ("$.email", "null")], 15);
    assert_eq!(told.breaking(NOW + 2, None), [("$.email".to_owned(), Kind::Missing)]);
}

#[test]
fn a_required_field_that_is_gone_is_drift_after_twenty_in_a_row() {
    let without = &[("$.id", "string"), ("$.total", "int")];
    let mut told = Told::learned("a", ORDER);
    told.at(NOW, "b", without, 19);
    assert_eq!(told.breaking(NOW + 1, None), NONE);
    told.at(NOW + 2, "b", without, 1);
    assert_eq!(told.breaking(NOW + 3, None), [("$.email".to_owned(), Kind::Missing)]);
    for minute in 0..3 * DAY {
        told.at(NOW + 3 + minute, "b", without, 1);
    }
    assert_eq!(told.breaking(NOW + 3 * DAY + 4, Some(NOW + 5)), NONE);
    told.at(NOW + 3 * DAY + 5, "a", ORDER, 20);
    assert_eq!(told.breaking(NOW + 3 * DAY + 6, None), NONE);
}

#[test]
fn optional_fields_come_and_go_and_an_empty_parent_says_nothing() {
    let mut told = Told::default();
    let full =
        &[("$.id", "string"), ("$.note", "string"), ("$.items[]", "object"), ("$.items[].sku", "string")];
    let bare = &[("$.id", "string"), ("$.items", "array")];
    for hour in 0..8 * 24 {
        told.at(hour * 60, "a", full, 9);
        if hour % 3 == 0 {
            told.at(
                hour * 60 + 1,
                "c",
                &[("$.id", "string"), ("$.items[]", "object"), ("$.items[].sku", "string")],
                1,
            );
        }
    }
    told.at(NOW, "b", bare, 500);
    let found = told.breaking(NOW + 1, None);
    assert!(found.iter().all(|(path, _)| path != "$.note" && path != "$.items[].sku"), "{found:?}");
}

#[test]
fn a_new_endpoint_is_learning_and_additions_break_nothing() {
    let mut told = Told::default();
    told.at(0, "a", ORDER, 3).at(1, "b", &[("$.id", "int")], 1);
    assert_eq!(told.breaking(2, None), NONE);
    assert!(learned(&told.0, None, Minute(START + 2)).is_learning());
    let mut told = Told::learned("a", ORDER);
    let more = &[("$.id", "string"), ("$.total", "int"), ("$.email", "string"), ("$.vat", "string")];
    told.at(NOW, "b", more, 50);
    let learned = learned(&told.0, None, Minute(START + NOW + 1));
    assert_eq!(learned.differences.len(), 1);
    assert_eq!((&*learned.differences[0].path, learned.differences[0].kind), ("$.vat", Kind::Added));
    assert_eq!(learned.required.len(), 3);
}

#[test]
fn keys_that_are_values_fold() {
    let mut told = Told::default();
    let days: Vec<String> = (0..90).map(|day| format!("$.rates.k{day}x.value")).collect();
    for hour in 0..8 * 24i64 {
        let at = |n: i64| (days[((hour + n) % 90) as usize].as_str(), "number");
        let types = [("$.id", "string"), at(0), at(1), ("$.by.2026-06-01", "number")];
        told.at(hour * 60, &format!("f{hour}"), &types, 10);
    }
    assert_eq!(told.breaking(NOW, None), NONE);
    let found = learned(&told.0, None, Minute(START + NOW));
    assert!(found.differences.iter().all(|one| !one.path.contains(".k")), "{:?}", found.differences);
    assert_eq!(without_ids("$.by.2026-06-01.n"), "$.by.{*}.n");
    assert!(!is_id("address_line_1"));
}
