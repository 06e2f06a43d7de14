//! What an incident's mails are filed under, the same for its whole life, so that a thread stays one.

use crate::alert::incident::Incident;
use crate::notify::header::shortened;

/// Longest subject, in characters, with the `Re: ` of later mails: what a phone shows.
pub const LONGEST: usize = 70;
/// Of these, what is left for the first mail.
const ROOM: usize = LONGEST - 4;

/// `AUTH · hubspot-crm · POST /contacts · K7Q2`: the first cause that was known, else the rule; whose, where, and the
/// code that people say. No value is in it.
pub fn of(incident: &Incident) -> String {
    let label = |name: &str| incident.labels.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let cause = match incident.first_cause.as_str() {
        "" => &*incident.rule,
        cause => cause,
    };
    let cause = shortened(&cause.replace(['_', '-'], " ").to_uppercase(), 24);
    let whose = label("integration").or_else(|| label("peer"));
    let place = ["endpoint", "credential", "queue", "reconciliation", "connection", "peer"]
        .into_iter()
        .find_map(label)
        .filter(|place| whose.is_none_or(|whose| whose != *place));
    let whose = whose.map(|whose| shortened(whose, 26));
    let taken: usize = [Some(cause.as_str()), whose.as_deref(), Some(&*incident.code)]
        .into_iter()
        .flatten()
        .map(width)
        .sum();
    let place = place.map(|place| shortened(place, ROOM.saturating_sub(taken)));
    let parts = [Some(cause), whose, place, Some(incident.code.clone())];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// A part with the separator behind it.
fn width(part: &str) -> usize {
    part.chars().count() + 3
}
