//! The record ledger: one hop of one record, under a hash of its key (vocabulary section 5).

use std::sync::Arc;

use super::endpoint::cut;
use super::fact::{Hop, RecordHop, Said};
use super::lookup::Lookup;
use super::telemetry::Refusal;
use super::vocabulary::Attr;

impl Hop {
    /// All of them, in the order of a record's way.
    pub const ALL: [Hop; 5] = [Hop::Received, Hop::Queued, Hop::Processed, Hop::Written, Hop::Confirmed];

    /// The hop's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Hop::Received => "received",
            Hop::Queued => "queued",
            Hop::Processed => "processed",
            Hop::Written => "written",
            Hop::Confirmed => "confirmed",
        }
    }
}

/// Reads `integration.record`.
pub fn hop(look: &Lookup<'_, '_>) -> Result<Said, Refusal> {
    let key = look.get(Attr::RecordKeyHash).map(|value| value.text()).filter(|key| !key.is_empty());
    let key = key.ok_or(Refusal::Borrowed("no integration.record.key_hash"))?;
    let said = look.str(Attr::RecordHop).ok_or(Refusal::Borrowed("no integration.record.hop"))?;
    let hop = Hop::ALL.into_iter().find(|hop| hop.name() == said).ok_or_else(|| {
        let names = Hop::ALL.map(Hop::name).join(", ");
        Refusal::Owned(format!("{} is \"{}\", not one of {names}", Attr::RecordHop.name(), cut(said)))
    })?;
    let entity = Arc::from(cut(look.str(Attr::Entity).unwrap_or("")));
    Ok(Said::Hop(RecordHop { key_hash: Arc::from(cut(&key)), hop, entity }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::telemetry::{Attributes, Value};

    fn read(pairs: &[(&'static str, Value<'static>)]) -> Result<Said, Refusal> {
        let (mut list, none) = (Attributes::default(), Attributes::default());
        for (key, value) in pairs {
            list.push((*key).into(), value.clone());
        }
        hop(&Lookup { own: &list, scope: &none, resource: &none })
    }

    #[test]
    fn a_hop_has_a_key_and_one_of_five_names() {
        let key = ("integration.record.key_hash", Value::Str("9f".into()));
        let at = |hop: &'static str| ("integration.record.hop", Value::Str(hop.into()));
        for one in Hop::ALL {
            let wanted = RecordHop { key_hash: "9f".into(), hop: one, entity: "".into() };
            assert_eq!(read(&[key.clone(), at(one.name())]), Ok(Said::Hop(wanted)));
        }
        let number = ("integration.record.key_hash", Value::Int(12));
        assert!(matches!(read(&[number, at("queued")]), Ok(Said::Hop(hop)) if &*hop.key_hash == "12"));
        assert_eq!(read(&[at("queued")]).unwrap_err(), "no integration.record.key_hash");
        assert_eq!(read(std::slice::from_ref(&key)).unwrap_err(), "no integration.record.hop");
        assert!(read(&[key, at("lost")]).unwrap_err().contains("not one of received, queued"));
    }
}
