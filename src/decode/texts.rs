//! The texts of a request, each kept once: rows hold numbers. A batch repeats its names, hosts and statuses hundreds
//! of times, so this is less to keep, less to compress, and a segment's dictionaries are made from it without
//! looking at every row.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::columns::Strings;

/// Chosen anew by every process: a sender cannot know which texts collide.
static SECRETS: LazyLock<RapidSecrets> =
    LazyLock::new(|| RapidSecrets::seed(RandomState::new().build_hasher().finish()));

fn hash(text: &[u8]) -> u64 {
    rapidhash_v3_seeded(text, &SECRETS)
}

const EMPTY: u32 = u32::MAX;

/// The number of a text that is not there.
pub const NONE: u32 = u32::MAX;

/// Texts by number, in order of arrival. Number 0 is the empty text.
#[derive(Clone, Debug)]
pub struct Texts {
    strings: Strings,
    /// Whether a text was found free of secrets: only of these it may be said again without a look.
    clean: Vec<bool>,
    /// Open addressing: (upper half of the hash, number); a power of two, at most half full.
    slots: Vec<(u32, u32)>,
}

/// Where a text that is not known belongs, until another is added.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    tag: u32,
    at: usize,
}

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Texts { strings: Strings::default(), clean: Vec::new(), slots: Vec::new() };
        texts.add("");
        texts
    }
}

impl Texts {
    /// The number of a text, new or known.
    #[inline]
    pub fn add(&mut self, text: &str) -> u32 {
        let (number, place) = self.look(text);
        number.unwrap_or_else(|| self.put(place, text))
    }

    /// The number of a text where it is known, and the place that [`Texts::put`] wants where it is not.
    #[inline]
    pub fn look(&mut self, text: &str) -> (Option<u32>, Place) {
        if self.slots.len() < 2 * (self.len() + 1) {
            self.grow();
        }
        let (tag, at) = self.place(text);
        let number = self.slots.get(at).map(|(_, number)| *number).filter(|number| *number != EMPTY);
        (number, Place { tag, at })
    }

    /// Adds a text that was looked for just now and is not known.
    pub fn put(&mut self, place: Place, text: &str) -> u32 {
        let number = self.len() as u32;
        self.strings.push(text);
        self.clean.push(false);
        if let Some(slot) = self.slots.get_mut(place.at) {
            *slot = (place.tag, number);
        }
        number
    }

    /// Makes room for the texts of a body of so many bytes.
    pub fn expect(&mut self, body: usize) {
        self.strings.bytes.reserve(body / 6);
        self.strings.offsets.reserve(body / 512);
        self.clean.reserve(body / 512);
    }

    /// Gives back what only adding needs. Texts can be added later all the same.
    pub fn seal(&mut self) {
        self.slots = Vec::new();
        self.clean = Vec::new();
    }

    /// The number of a text, where it is known.
    pub fn find(&self, text: &str) -> Option<u32> {
        if self.slots.is_empty() {
            return (0..self.len() as u32).find(|number| self.get(*number) == text);
        }
        let (_, at) = self.place(text);
        self.slots.get(at).map(|(_, number)| *number).filter(|number| *number != EMPTY)
    }

    /// The same as [`Texts::add`], quicker where the text is the one of `last`, which becomes its number.
    pub fn again(&mut self, last: &mut u32, text: &str) -> u32 {
        if !self.is(*last, text) {
            *last = self.add(text);
        }
        *last
    }

    /// A text; empty when there is none of this number.
    #[inline]
    pub fn get(&self, number: u32) -> &str {
        self.strings.get(number as usize)
    }

    /// The bytes of a text; none when there is none of this number.
    #[inline]
    pub fn raw(&self, number: u32) -> &[u8] {
        self.strings.raw(number as usize)
    }

    /// Whether this number is of this text.
    #[inline]
    pub fn is(&self, number: u32, text: &str) -> bool {
        self.raw(number) == text.as_bytes()
    }

    /// Whether this text was found free of secrets.
    pub fn is_clean(&self, number: u32) -> bool {
        self.clean.get(number as usize).copied().unwrap_or(false)
    }

    /// Says that this text was found free of secrets.
    pub fn mark_clean(&mut self, number: u32) {
        if let Some(clean) = self.clean.get_mut(number as usize) {
            *clean = true;
        }
    }

    /// How many there are, the empty one included.
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether there is none but the empty one.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.strings.bytes.len() + self.len() * 5 + self.slots.len() * 8
    }

    /// Where a text stands or would stand, and its tag.
    fn place(&self, text: &str) -> (u32, usize) {
        let hash = hash(text.as_bytes());
        let (tag, mask) = ((hash >> 32) as u32, self.slots.len().wrapping_sub(1));
        let mut at = hash as usize & mask;
        while let Some((other, number)) = self.slots.get(at) {
            if *number == EMPTY || (*other == tag && self.is(*number, text)) {
                break;
            }
            at = (at + 1) & mask;
        }
        (tag, at)
    }

    fn grow(&mut self) {
        let size = (4 * (self.len() + 1)).next_power_of_two().max(64);
        self.slots = vec![(0, EMPTY); size];
        for number in 0..self.len() as u32 {
            let hash = hash(self.raw(number));
            let mut at = hash as usize & (size - 1);
            while self.slots.get(at).is_some_and(|(_, number)| *number != EMPTY) {
                at = (at + 1) & (size - 1);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = ((hash >> 32) as u32, number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_has_one_number_and_a_number_one_text(texts in prop::collection::vec("[a-c]{0,4}", 0..3000)) {
            let mut kept = Texts::default();
            let numbers: Vec<u32> = texts.iter().map(|text| kept.add(text)).collect();
            for (text, number) in texts.iter().zip(&numbers) {
                prop_assert_eq!(kept.get(*number), text);
                prop_assert_eq!(kept.find(text), Some(*number));
            }
            let distinct: std::collections::HashSet<_> = texts.iter().map(String::as_str).chain([""]).collect();
            prop_assert_eq!(kept.len(), distinct.len());
            prop_assert_eq!(kept.find("not there"), None);
        }
    }

    #[test]
    fn saying_it_again_is_the_same_as_adding_it() {
        let mut texts = Texts::default();
        let mut last = 0;
        let numbers: Vec<u32> =
            ["a", "a", "b", "", "a"].iter().map(|text| texts.again(&mut last, text)).collect();
        assert_eq!(numbers, [1, 1, 2, 0, 1]);
    }
}
