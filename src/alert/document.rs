//! Reading a TOML file of ours with the place of everything in it, so that each problem has file, line, column.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::rule::Problem;

/// A place in the text: byte range.
pub type Place = Range<usize>;

/// Collects the problems of one file.
pub struct Document<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
}

/// A table of the file and where it begins.
#[derive(Clone)]
pub struct Section<'t> {
    entries: &'t DeTable<'t>,
    place: Place,
}

impl<'t> Document<'t> {
    /// A document named as the caller names the file.
    pub fn new(file: &'t str, text: &'t str) -> Document<'t> {
        Document { file, text, problems: Vec::new() }
    }

    /// Parses the text; none when it is no TOML, with the problem noted.
    pub fn parse(&mut self) -> Option<Spanned<DeTable<'t>>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(error) => {
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                self.problem(&error.span().unwrap_or(0..0), format!("this is not TOML: {message}"));
                None
            }
        }
    }

    /// Notes a problem at a place.
    pub fn problem(&mut self, place: &Place, message: impl Into<String>) {
        let before = self.text.get(..place.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        });
    }

    /// All that was noted, in the file's order.
    pub fn finish(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        self.problems
    }

    /// Whether nothing was noted.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Refuses keys that are neither `known` nor `later` (of the format, but not acted on by this version).
    pub fn keys(&mut self, section: &Section<'_>, known: &[&str], later: &[&str]) {
        for (key, _) in section.entries.iter() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let message = if later.contains(&name) {
                format!("{name}: this version does not act on it; remove the key")
            } else {
                match nearest(name, known) {
                    Some(near) => format!("unknown key \"{name}\"; did you mean \"{near}\"?"),
                    None => format!("unknown key \"{name}\"; known here are {}", known.join(", ")),
                }
            };
            self.problem(&key.span(), message);
        }
    }

    /// A string.
    pub fn string<'s>(&mut self, section: &Section<'s>, key: &str) -> Option<(&'s str, Place)> {
        let value = section.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, value, "a string");
        }
        Some((text?, value.span()))
    }

    /// A string that must be there.
    pub fn required<'s>(&mut self, section: &Section<'s>, key: &str, what: &str) -> Option<(&'s str, Place)> {
        if section.get(key).is_none() {
            self.problem(&section.place, format!("{key} is missing: {what}"));
        }
        self.string(section, key)
    }

    /// A whole number from `least` to `most`.
    pub fn integer<'s>(
        &mut self,
        section: &Section<'s>,
        key: &str,
        least: u64,
        most: u64,
    ) -> Option<(u64, Place)> {
        let value = section.get(key)?;
        let number = value.get_ref().as_integer().and_then(|number| {
            u64::from_str_radix(number.as_str().trim_start_matches('+'), number.radix()).ok()
        });
        match number {
            Some(number) if (least..=most).contains(&number) => Some((number, value.span())),
            _ => {
                let wanted = match least == most {
                    true => format!("{least}: there is no other yet"),
                    false => format!("a whole number from {least} to {most}"),
                };
                self.wrong_type(key, value, &wanted);
                None
            }
        }
    }

    /// A day, written 2026-11-25 without quotation marks.
    pub fn day<'s>(&mut self, section: &Section<'s>, key: &str) -> Option<String> {
        let value = section.get(key)?;
        match value.get_ref() {
            DeValue::Datetime(at) if at.date.is_some() && at.time.is_none() => Some(at.to_string()),
            _ => {
                self.wrong_type(key, value, "a day, like 2026-11-25 without quotation marks");
                None
            }
        }
    }

    /// A list of whole numbers from `least` to `most`; empty when the key is absent.
    pub fn integers(&mut self, section: &Section<'_>, key: &str, least: u64, most: u64) -> Vec<u64> {
        let Some(value) = section.get(key) else { return Vec::new() };
        let wanted = format!("a list of whole numbers from {least} to {most}, like [403]");
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &wanted);
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items.iter() {
            match item
                .get_ref()
                .as_integer()
                .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok())
            {
                Some(number) if (least..=most).contains(&number) => out.push(number),
                _ => self.wrong_type(key, item, &wanted),
            }
        }
        out
    }

    /// True or false.
    pub fn boolean<'s>(&mut self, section: &Section<'s>, key: &str) -> Option<bool> {
        let value = section.get(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        found
    }

    /// A string read by `read`, whose error is noted behind the key.
    pub fn read<'s, T>(
        &mut self,
        section: &Section<'s>,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<(T, Place)> {
        let (text, place) = self.string(section, key)?;
        match read(text) {
            Ok(value) => Some((value, place)),
            Err(why) => {
                self.problem(&place, format!("{key}: {why}"));
                None
            }
        }
    }

    /// A string or a list of strings.
    pub fn strings<'s>(&mut self, section: &Section<'s>, key: &str) -> Option<Vec<(&'s str, Place)>> {
        let value = section.get(key)?;
        match value.get_ref() {
            DeValue::String(_) => Some(self.string(section, key).into_iter().collect()),
            DeValue::Array(items) => Some(self.items(key, items)),
            _ => {
                self.wrong_type(key, value, "a string or a list of strings");
                None
            }
        }
    }

    fn items<'s>(&mut self, key: &str, items: &'s DeArray<'s>) -> Vec<(&'s str, Place)> {
        let mut out = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_str() {
                Some(text) => out.push((text, item.span())),
                None => self.wrong_type(key, item, "a list of strings"),
            }
        }
        out
    }

    /// A table.
    pub fn section<'s>(&mut self, section: &Section<'s>, key: &str) -> Option<Section<'s>> {
        let value = section.get(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table, like { tier = \"critical\" }");
        }
        Some(Section { entries: table?, place: value.span() })
    }

    /// A list of tables (`[[level]]`); empty when the key is absent.
    pub fn sections<'s>(&mut self, section: &Section<'s>, key: &str) -> Vec<Section<'s>> {
        let Some(value) = section.get(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &format!("a list of tables, written [[{key}]]"));
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_table() {
                Some(entries) => out.push(Section { entries, place: item.span() }),
                None => self.wrong_type(key, item, &format!("a list of tables, written [[{key}]]")),
            }
        }
        out
    }

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        self.problem(&value.span(), format!("{key}: this must be {wanted}"));
    }
}

impl<'t> Section<'t> {
    /// The whole file.
    pub fn root(table: &'t Spanned<DeTable<'t>>) -> Section<'t> {
        Section { entries: table.get_ref(), place: 0..0 }
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Where the value of a key stands, else where the table begins.
    pub fn place_of(&self, key: &str) -> Place {
        self.get(key).map_or(self.place.clone(), Spanned::span)
    }

    /// The names of its keys with their places.
    pub fn names(&self) -> Vec<(&'t str, Place)> {
        self.entries.iter().map(|(key, _)| (key.get_ref().as_ref(), key.span())).collect()
    }

    /// Whether the value of a key is a string.
    pub fn is_string(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.get_ref().is_str())
    }

    fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entries.get(key)
    }
}

/// The known name nearest to a mistyped one, if any is near.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|known| (distance(name, known), *known))
        .min()
        .filter(|(distance, near)| *distance <= 1 + near.len() / 4)
        .map(|(_, near)| near)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, right) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named_only_when_near() {
        assert_eq!(nearest("windo", &["window", "fire"]), Some("window"));
        assert_eq!(nearest("min_cuont", &["min_count", "min_bad"]), Some("min_count"));
        assert_eq!(nearest("colour", &["window", "fire"]), None);
    }

    #[test]
    fn places_count_characters_from_one() {
        let text = "a = 1\n# ü\nkey = \"é\"\n";
        let mut document = Document::new("f.toml", text);
        let at = text.find("\"é\"").unwrap();
        document.problem(&(at..at + 1), "here");
        assert_eq!(document.finish()[0].to_string(), "f.toml:3:7 here");
    }

    #[test]
    fn broken_toml_is_a_problem_with_a_place() {
        let mut document = Document::new("f.toml", "a = 1\nb = = 2\n");
        assert!(document.parse().is_none());
        let problems = document.finish();
        assert_eq!(problems[0].line, 2);
        assert!(problems[0].message.starts_with("this is not TOML"), "{problems:?}");
    }
}
