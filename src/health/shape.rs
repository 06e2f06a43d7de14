//! What changed in the shape of an endpoint's messages, against what was learned of it (semantics section 10). Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::rollup::state::shapes::{Print, Shapes};
use crate::rollup::window::Minute;

/// A path is learned from so many messages …
pub const MATURE: u64 = 200;
/// … over so many minutes.
pub const LEARNS_FOR: i64 = 7 * 24 * 60;
/// So many in a row without a path are drift, and so many that conform end it.
const IN_A_ROW: u64 = 20;
/// An object with more keys than this is a map, whose keys are values.
const KEYS: usize = 64;
const DAY: i64 = 24 * 60;

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was always there and is not any more.
    Missing,
    /// It has a type that it never had.
    Type,
    /// It is new: shown, and breaks nothing.
    Added,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// JSON path.
    pub path: String,
    /// How.
    pub kind: Kind,
    /// Its types before; empty for one that is new.
    pub before: String,
    /// Its types now; empty for one that is missing.
    pub now: String,
    /// When it began.
    pub since: Minute,
}

impl Difference {
    /// Whether readers of the message break by it.
    pub fn is_breaking(&self) -> bool {
        self.kind != Kind::Added
    }
}

/// What is known of an endpoint's messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// Messages seen.
    pub seen: u64,
    /// Minutes since the first.
    pub minutes: i64,
    /// Paths with their types that are required.
    pub required: BTreeMap<String, String>,
    /// What differs, by path.
    pub differences: Vec<Difference>,
}

impl Learned {
    /// Whether too little was seen to judge anything.
    pub fn is_learning(&self) -> bool {
        self.seen < MATURE || self.minutes < LEARNS_FOR
    }
}

/// One shape with its maps folded: path → types, null left out.
struct Folded<'s> {
    print: &'s Print,
    types: BTreeMap<String, BTreeSet<&'s str>>,
}

impl Folded<'_> {
    /// Whether it can say anything of a path: what the path lies in is there, and not empty.
    fn can_hold(&self, path: &str) -> bool {
        let parent = parent(path);
        if parent == "$" || parent.is_empty() {
            return true;
        }
        let inside =
            |known: &String| known.strip_prefix(parent).is_some_and(|rest| rest.starts_with(['.', '[']));
        self.types
            .range(parent.to_owned()..)
            .take_while(|(known, _)| known.starts_with(parent))
            .any(|(known, _)| inside(known))
    }
}

/// What the shapes say at a tick. What was there when a person accepted it is as it should be.
pub fn learned(shapes: &Shapes, accepted: Option<Minute>, tick: Minute) -> Learned {
    let folded = fold(shapes);
    let paths: BTreeSet<&String> = folded.iter().flat_map(|one| one.types.keys()).collect();
    let first = folded.iter().filter_map(|one| one.print.first).min();
    let mut out = Learned {
        seen: folded.iter().map(|one| one.print.counts.total()).fold(0, u64::saturating_add),
        minutes: first.map_or(0, |first| tick.0 - first),
        ..Learned::default()
    };
    for path in paths {
        let path = Path::of(path, &folded, accepted.map(|minute| minute.0));
        if let Some(difference) = path.missing().or_else(|| path.type_change()) {
            out.differences.push(difference);
        } else if let Some(difference) = first.and_then(|first| path.added(first)) {
            out.differences.push(difference);
        }
        if path.is_required() {
            out.required.insert(path.name.to_owned(), path.baseline());
        }
    }
    out
}

/// Everything of one path.
struct Path<'s> {
    name: &'s str,
    holding: Vec<&'s Folded<'s>>,
    lacking: Vec<&'s Folded<'s>>,
    accepted: Option<i64>,
    /// By minute of the last two days: (holding, lacking).
    lately: BTreeMap<i64, (u64, u64)>,
}

impl<'s> Path<'s> {
    fn of(name: &'s str, folded: &'s [Folded<'s>], accepted: Option<i64>) -> Path<'s> {
        let (holding, rest): (Vec<_>, Vec<_>) = folded.iter().partition(|one| one.types.contains_key(name));
        let lacking: Vec<_> = rest.into_iter().filter(|one| one.can_hold(name)).collect();
        let mut lately: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        for one in &holding {
            one.print.counts.minutes.iter().for_each(|(at, count)| lately.entry(*at).or_default().0 += count);
        }
        for one in &lacking {
            one.print.counts.minutes.iter().for_each(|(at, count)| lately.entry(*at).or_default().1 += count);
        }
        Path { name, holding, lacking, accepted, lately }
    }

    fn first(&self) -> Option<i64> {
        self.holding.iter().filter_map(|one| one.print.first).min()
    }

    fn was_accepted(&self, first: Option<i64>) -> bool {
        self.accepted.zip(first).is_some_and(|(accepted, first)| first <= accepted)
    }

    /// Whether all messages before the last days' first without it held it, and there were enough of them.
    fn is_required(&self) -> bool {
        let by_day = |of: &[&Folded<'_>]| {
            of.iter().flat_map(|one| one.print.counts.days.values()).copied().fold(0, u64::saturating_add)
        };
        let Some(first) = self.first() else { return false };
        let until = self.lately.iter().find(|(_, (_, lacking))| *lacking > 0).map_or(i64::MAX, |(at, _)| *at);
        let held = by_day(&self.holding) + self.lately.range(..until).map(|(_, (held, _))| held).sum::<u64>();
        let last = self.lately.range(..until).next_back().map(|(at, _)| *at);
        let last_day =
            || self.holding.iter().filter_map(|one| one.print.counts.days.keys().next_back()).max();
        let span = last.or_else(|| last_day().map(|day| day * DAY + DAY - 1)).map_or(0, |last| last - first);
        let accepted = self.lacking.iter().any(|one| self.was_accepted(one.print.first));
        held >= MATURE && span >= LEARNS_FOR && by_day(&self.lacking) == 0 && !accepted
    }

    /// Messages in a row without it, after which not enough in a row with it came.
    fn missing(&self) -> Option<Difference> {
        if !self.is_required() {
            return None;
        }
        let (mut without, mut with, mut began, mut stands) = (0, 0, None, None);
        for (at, (held, lacking)) in &self.lately {
            match (*held, *lacking) {
                (0, lacking) => {
                    began = began.or(Some(*at));
                    without += lacking;
                    with = 0;
                }
                (held, 0) => {
                    (without, began) = (0, None);
                    with += held;
                }
                // Which came last in that minute nobody knows.
                _ => (without, began, with) = (0, None, 0),
            }
            if without >= IN_A_ROW && stands.is_none() {
                stands = began;
            }
            if with >= IN_A_ROW {
                stands = None;
            }
        }
        let since = Minute(stands?);
        let (before, now) = (self.baseline(), String::new());
        Some(Difference { path: self.name.to_owned(), kind: Kind::Missing, before, now, since })
    }

    /// Types with the first minute of each.
    fn types(&self) -> BTreeMap<&'s str, i64> {
        let mut out = BTreeMap::new();
        for one in &self.holding {
            let Some(first) = one.print.first else { continue };
            for name in one.types.get(self.name).into_iter().flatten() {
                let known = out.entry(*name).or_insert(first);
                *known = first.min(*known);
            }
        }
        out
    }

    /// Those that were there while it was learned, or when a person accepted them.
    fn known_types(&self) -> BTreeSet<&'s str> {
        let learned = self.first().unwrap_or(0).saturating_add(LEARNS_FOR);
        let known = |first: i64| first < learned || self.was_accepted(Some(first));
        self.types().into_iter().filter(|(_, first)| known(*first)).map(|(name, _)| name).collect()
    }

    fn baseline(&self) -> String {
        join(self.known_types())
    }

    fn type_change(&self) -> Option<Difference> {
        let known = self.known_types();
        let conforms =
            |one: &&&Folded<'_>| one.types.get(self.name).is_some_and(|types| types.is_subset(&known));
        let before: u64 = self
            .holding
            .iter()
            .filter(conforms)
            .map(|one| one.print.counts.total())
            .fold(0, u64::saturating_add);
        if before < MATURE {
            return None;
        }
        let odd: Vec<_> = self.holding.iter().filter(|one| !conforms(one)).collect();
        let (since, last) = (
            odd.iter().filter_map(|one| one.print.first).min()?,
            odd.iter().filter_map(|one| one.print.counts.last()).max()?,
        );
        let since_then: u64 =
            self.holding.iter().filter(conforms).map(|one| one.print.counts.after(last)).sum();
        if since_then >= IN_A_ROW {
            return None;
        }
        let now = join(odd.iter().flat_map(|one| one.types.get(self.name).into_iter().flatten()).copied());
        let (path, before) = (self.name.to_owned(), join(known));
        Some(Difference { path, kind: Kind::Type, before, now, since: Minute(since) })
    }

    fn added(&self, first: i64) -> Option<Difference> {
        let since = self.first()?;
        if since < first.saturating_add(LEARNS_FOR) || self.was_accepted(Some(since)) {
            return None;
        }
        let now = join(self.types().into_keys());
        let (path, before) = (self.name.to_owned(), String::new());
        Some(Difference { path, kind: Kind::Added, before, now, since: Minute(since) })
    }
}

fn join<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: BTreeSet<&str> = names.into_iter().collect();
    names.into_iter().collect::<Vec<_>>().join(" or ")
}

/// Shapes whose types are known, with keys that are values folded to `{*}`.
fn fold(shapes: &Shapes) -> Vec<Folded<'_>> {
    let told = || shapes.0.values().filter_map(|print| Some((print, print.types.as_ref()?)));
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in told().flat_map(|(_, types)| types.keys()) {
        let path = without_ids(path);
        let mut at = path.as_str();
        while let Some((before, key)) = at.rsplit_once('.') {
            keys.entry(before.to_owned()).or_default().insert(key.trim_end_matches("[]").to_owned());
            at = before;
        }
    }
    let maps: BTreeSet<String> =
        keys.into_iter().filter(|(_, keys)| keys.len() > KEYS).map(|(before, _)| before).collect();
    told().map(|(print, types)| Folded { print, types: folded(types, &maps) }).collect()
}

fn folded<'s>(
    types: &'s BTreeMap<String, Vec<String>>,
    maps: &BTreeSet<String>,
) -> BTreeMap<String, BTreeSet<&'s str>> {
    let mut out: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (path, names) in types {
        let names: BTreeSet<&str> =
            names.iter().map(|name| plain(name)).filter(|name| *name != "null").collect();
        if !names.is_empty() {
            out.entry(within_maps(&without_ids(path), maps)).or_default().extend(names);
        }
    }
    out
}

/// An int is a number.
fn plain(name: &str) -> &str {
    if matches!(name, "int" | "integer" | "float" | "double") { "number" } else { name }
}

fn parent(path: &str) -> &str {
    path.strip_suffix("[]").or_else(|| path.rsplit_once('.').map(|(before, _)| before)).unwrap_or("")
}

fn without_ids(path: &str) -> String {
    let fold = |segment: &str| {
        let (key, list) = match segment.find('[') {
            Some(at) => segment.split_at(at),
            None => (segment, ""),
        };
        if is_id(key) { format!("{{*}}{list}") } else { segment.to_owned() }
    };
    path.split('.').map(fold).collect::<Vec<_>>().join(".")
}

fn within_maps(path: &str, maps: &BTreeSet<String>) -> String {
    if maps.is_empty() {
        return path.to_owned();
    }
    let mut out = String::new();
    let mut original = String::new();
    for (at, segment) in path.split('.').enumerate() {
        let folded = at > 0 && maps.contains(&original);
        for text in [&mut original, &mut out] {
            if at > 0 {
                text.push('.');
            }
        }
        let list = if segment.ends_with("[]") { "[]" } else { "" };
        out.push_str(&if folded { format!("{{*}}{list}") } else { segment.to_owned() });
        original.push_str(segment);
    }
    out
}

/// Whether a key looks like a value: a number, a date, a hash, a UUID, an address.
fn is_id(key: &str) -> bool {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let hex =
        key.len() >= 8 && digits > 0 && key.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let number =
        digits > 0 && key.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'/'));
    number || hex || key.contains('@') || (key.len() >= 12 && digits >= 2)
}

#[cfg(test)]
mod tests;
