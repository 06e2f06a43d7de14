//! Who is told of an incident, and why these: the owner's addresses, a second list, whoever was told of it before.

use std::collections::BTreeMap;

use crate::alert::incident::{Change, Transition};
use crate::config::Config;
use crate::config::mail::Owner;
use crate::rollup::window::Part;
use crate::signals::observation::IntegrationKey;
use crate::store::mail::{Mail, MailState};

/// What the configuration says of recipients. Of telemetry only an owner's name is believed, and that is looked up.
pub struct Told {
    to: Vec<String>,
    second: Vec<String>,
    owners: BTreeMap<String, Owner>,
    owner_of: BTreeMap<String, String>,
}

/// Addresses, and a sentence that says why these.
pub struct List {
    /// Each once.
    pub addresses: Vec<String>,
    /// Why.
    pub reason: String,
}

impl Told {
    /// As configured.
    pub fn new(config: &Config) -> Told {
        let owned =
            |rule: &crate::config::integration::Integration| Some((rule.name.clone(), rule.owner.clone()?));
        Told {
            to: config.mail.to.clone(),
            second: config.mail.escalate_to.clone(),
            owners: config.owners.clone(),
            owner_of: config.integration.iter().filter_map(owned).collect(),
        }
    }

    /// Who owns an integration: the configuration's word, else telemetry's.
    pub fn owner(&self, key: &IntegrationKey, recent: &Part) -> Option<String> {
        let said = || recent.integrations.get(key)?.owner.get().cloned();
        self.owner_of.get(&*key.name).cloned().or_else(said)
    }

    /// Who is told of a change of an incident, `before` being the messages that tell of it so far.
    pub fn list(
        &self,
        transition: &Transition,
        key: &IntegrationKey,
        owner: Option<&str>,
        before: &[Mail],
    ) -> List {
        self.of(transition.change, &transition.incident.to, key, owner, before)
    }

    fn of(
        &self,
        change: Change,
        to: &[String],
        key: &IntegrationKey,
        owner: Option<&str>,
        before: &[Mail],
    ) -> List {
        let mut list = match change {
            Change::Unacknowledged => self.second(owner).unwrap_or_else(|| self.first(to, key, owner)),
            _ => self.first(to, key, owner),
        };
        // Who was told that it stands is told how it goes on; a beginning is told to the first list alone.
        if !matches!(change, Change::Fired | Change::Reopened | Change::Unacknowledged) {
            let reached = |mail: &&Mail| mail.mail.channel.is_empty() && mail.state != MailState::Rejected;
            for mail in before.iter().filter(reached) {
                if !list.addresses.contains(&mail.mail.recipient) {
                    list.addresses.push(mail.mail.recipient.clone());
                }
            }
        }
        list
    }

    fn first(&self, to: &[String], key: &IntegrationKey, owner: Option<&str>) -> List {
        if !to.is_empty() {
            let reason = "You get this because an override of the rule names you.".to_owned();
            return List { addresses: unique(to), reason };
        }
        let name = &key.name;
        if let Some((owner, found)) = owner.and_then(|owner| Some((owner, self.owners.get(owner)?))) {
            let reason = format!("You get this because {owner} owns {name}.");
            return List { addresses: unique(&found.to), reason };
        }
        let why = match owner {
            _ if name.is_empty() => "it is of no one integration".to_owned(),
            Some(owner) => format!("no address is configured for its owner, {owner}"),
            None => format!("nobody is named as the owner of {name}"),
        };
        List { addresses: unique(&self.to), reason: format!("You get this as the default recipient: {why}.") }
    }

    fn second(&self, owner: Option<&str>) -> Option<List> {
        let owned = owner.and_then(|owner| self.owners.get(owner)).map(|owner| &owner.escalate_to);
        let addresses = owned.filter(|list| !list.is_empty()).unwrap_or(&self.second);
        let reason =
            "You get this because nobody of those who were told first has acknowledged it.".to_owned();
        (!addresses.is_empty()).then(|| List { addresses: unique(addresses), reason })
    }
}

/// The Message-ID of the first mail that went to an address.
pub fn thread(before: &[Mail], address: &str) -> Option<String> {
    let first = before.iter().find(|mail| mail.mail.recipient == address && mail.mail.channel.is_empty())?;
    Some(first.mail.message_id.clone())
}

/// Channels that were told.
pub fn channels(before: &[Mail]) -> Vec<String> {
    let mut names: Vec<String> = before.iter().map(|mail| mail.mail.channel.clone()).collect();
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

fn unique(addresses: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for address in addresses {
        if !out.contains(address) {
            out.push(address.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::mail::{Kind, NewMail};

    const CONFIG: &str = "[mail]\nto = [\"ops@example.com\"]\nescalate_to = [\"lead@example.com\"]\n\
        [owners.crm]\nto = [\"ana@example.com\", \"ana@example.com\"]\nescalate_to = [\"boss@example.com\"]\n\
        [owners.shop]\nto = [\"bo@example.com\"]\n";

    fn told() -> Told {
        Told::new(&Config::parse("c.toml", CONFIG).unwrap())
    }

    fn key() -> IntegrationKey {
        IntegrationKey { environment: "default".into(), name: "hubspot-crm".into() }
    }

    fn sent(recipient: &str, state: MailState, channel: &str) -> Mail {
        let mail = NewMail {
            id: recipient.into(),
            incident_id: "i".into(),
            kind: Kind::Alert(Change::Fired),
            channel: channel.into(),
            recipient: recipient.into(),
            from_name: String::new(),
            subject: String::new(),
            message_id: format!("<{recipient}>"),
            in_reply_to: None,
            headers: Vec::new(),
            text: String::new(),
            html: String::new(),
            created_at: 0,
        };
        let (attempts, next_try_at, sent_at) = (0, 0, None);
        Mail { mail, state, attempts, next_try_at, error: String::new(), sent_at, detail: String::new() }
    }

    #[test]
    fn the_owner_is_told_and_the_default_where_there_is_none() {
        let list = |owner| told().of(Change::Fired, &[], &key(), owner, &[]);
        assert_eq!(list(Some("crm")).addresses, ["ana@example.com"]);
        assert_eq!(list(Some("crm")).reason, "You get this because crm owns hubspot-crm.");
        let unknown = list(Some("x"));
        assert_eq!(unknown.addresses, ["ops@example.com"]);
        assert!(unknown.reason.ends_with("no address is configured for its owner, x."), "{}", unknown.reason);
        assert!(list(None).reason.ends_with("nobody is named as the owner of hubspot-crm."));
        let named = told().of(Change::Fired, &["cy@example.com".into()], &key(), Some("crm"), &[]);
        assert_eq!(named.addresses, ["cy@example.com"], "an override of the rule goes before the owner");
    }

    #[test]
    fn what_nobody_acknowledged_goes_to_the_owners_second_list_else_to_the_common_one() {
        let list = |owner| told().of(Change::Unacknowledged, &[], &key(), owner, &[]).addresses;
        assert_eq!(list(Some("crm")), ["boss@example.com"]);
        assert_eq!(list(Some("shop")), ["lead@example.com"]);
        let none = Told { second: Vec::new(), ..told() };
        let list = none.of(Change::Unacknowledged, &[], &key(), Some("shop"), &[]);
        assert_eq!(list.addresses, ["bo@example.com"], "without a second list the first hears it again");
    }

    #[test]
    fn who_was_told_is_told_the_end() {
        let before = [
            sent("ana@example.com", MailState::Sent, ""),
            sent("boss@example.com", MailState::Deferred, ""),
            sent("gone@example.com", MailState::Rejected, ""),
            sent("chat", MailState::Sent, "chat"),
        ];
        let list = |change| told().of(change, &[], &key(), Some("crm"), &before).addresses;
        assert_eq!(list(Change::Resolved), ["ana@example.com", "boss@example.com"]);
        assert_eq!(list(Change::Reopened), ["ana@example.com"]);
        assert_eq!(thread(&before, "boss@example.com").as_deref(), Some("<boss@example.com>"));
        assert_eq!(channels(&before), ["chat"]);
    }
}
