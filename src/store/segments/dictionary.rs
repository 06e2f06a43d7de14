//! The values of a text column, each different one once.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use rapidhash::fast::RapidHasher;

use super::encode::Ends;
use crate::decode::texts::{NONE, Texts};

/// A page's ends are not kept where they are longer: they are for leaving pages out, not for reading.
const LONGEST_END: usize = 128;

/// The values of a text column: its dictionary, and for each value a place in it.
#[derive(Default)]
pub struct Gathered<'t> {
    /// The different texts, in UTF-8, in order of arrival.
    pub dictionary: Vec<&'t [u8]>,
    /// Of each value its place in the dictionary.
    pub indexes: Vec<u32>,
    known: HashMap<&'t [u8], u32, BuildHasherDefault<RapidHasher<'static>>>,
    /// By number of the request's text: its place in the dictionary.
    seen: Vec<u32>,
    expected: usize,
    /// Entries and values when the request began.
    begun: (usize, usize),
    /// Values of the latest requests, each of which brought many new entries for its values.
    poor: usize,
}

/// Texts are written whole, without a dictionary, when it would have more entries than one of so many values: the
/// compressor finds what is left of repetition.
const DISTINCT: usize = 16;
/// Up to so many entries it is worth it in any case.
const FEW: usize = 256;

impl<'t> Gathered<'t> {
    /// Nothing yet, with room for so many values.
    pub fn expecting(values: usize) -> Gathered<'t> {
        Gathered { indexes: Vec::with_capacity(values), expected: values, ..Gathered::default() }
    }

    /// Whether a dictionary of all that is here is not worth it.
    pub fn is_worthless(&self) -> bool {
        self.dictionary.len() > FEW && self.dictionary.len() * DISTINCT > self.indexes.len()
    }

    /// Whether it will not be worth it, seen before all are here: a quarter of them in a row was of requests that
    /// each brought too many new ones. To find each of them a place is most of what a file costs.
    pub fn is_hopeless(&self) -> bool {
        self.dictionary.len() > FEW && self.poor * 4 >= self.expected
    }

    /// Adds values of one request.
    pub fn add(&mut self, texts: &'t Texts, numbers: impl Iterator<Item = u32>) {
        self.begin(texts);
        self.take(texts, numbers);
    }

    /// Begins with the texts of another request.
    pub fn begin(&mut self, texts: &'t Texts) {
        let (entries, values) = (self.dictionary.len(), self.indexes.len());
        let (new, of) = (entries - self.begun.0, values - self.begun.1);
        self.poor = if new * DISTINCT > of { self.poor + of } else { 0 };
        self.begun = (entries, values);
        self.seen.clear();
        self.seen.resize(texts.len(), NONE);
    }

    /// Adds values of the request that was begun.
    pub fn take(&mut self, texts: &'t Texts, numbers: impl Iterator<Item = u32>) {
        for number in numbers {
            let place = match self.seen.get(number as usize) {
                Some(place) if *place != NONE => *place,
                _ => self.meet(texts, number),
            };
            self.indexes.push(place);
        }
    }

    fn meet(&mut self, texts: &'t Texts, number: u32) -> u32 {
        let text = texts.raw(number);
        let next = self.dictionary.len() as u32;
        let place = *self.known.entry(text).or_insert(next);
        if place == next {
            self.dictionary.push(text);
        }
        if let Some(seen) = self.seen.get_mut(number as usize) {
            *seen = place;
        }
        place
    }

    /// Least and greatest of some values.
    pub fn ends(&self, values: &[u32]) -> Ends {
        let mut used = vec![false; self.dictionary.len()];
        for place in values {
            *used.get_mut(*place as usize)? = true;
        }
        let texts = || self.dictionary.iter().zip(&used).filter(|(_, used)| **used).map(|(text, _)| *text);
        let (least, most) = texts().min().zip(texts().max())?;
        (least.len() <= LONGEST_END && most.len() <= LONGEST_END).then(|| (least.into(), most.into()))
    }
}
