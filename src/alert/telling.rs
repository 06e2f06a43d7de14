//! Values of signals as sentences: the thing by its name, what is the matter with it, and the evidence.

use std::collections::BTreeMap;

use super::figure;
use super::verdict::Verdict;
use crate::signals::signal::Signal;

/// What there is to tell.
pub struct Told<'t> {
    /// Of what.
    pub labels: &'t BTreeMap<String, String>,
    /// Which signal.
    pub signal: Signal,
    /// Its value in base units.
    pub value: f64,
    /// What it rests on.
    pub why: &'t str,
    /// What the rule makes of it.
    pub verdict: Verdict,
}

/// The sentence; none for a signal that has no words of its own.
pub fn of(told: &Told<'_>) -> Option<String> {
    use Signal as S;
    let because = if told.why.is_empty() { String::new() } else { format!(": {}", told.why) };
    let breaches = told.verdict == Verdict::Breach;
    let said = figure::value(told.signal.unit(), told.value);
    let credential = || told.label("credential", "the credential");
    let clause = match (told.signal, breaches) {
        (S::CredentialRefreshRefused, true) => {
            format!("the refresh of {} is refused{because}; trying again does not help", credential())
        }
        (S::CredentialRefreshRefused, false) => format!("{} can be refreshed again{because}", credential()),
        (S::CredentialRefreshFailing, true) => {
            format!("{} has {said} of its life left and its refresh fails{because}", credential())
        }
        (S::CredentialRefreshFailing, false) => {
            format!("{} is not about to expire for want of a refresh{because}", credential())
        }
        (S::CredentialRefreshOverdue, true) => {
            format!("{} was not refreshed when it usually is{because}", credential())
        }
        (S::CredentialRefreshOverdue, false) => format!("{} is refreshed as usual{because}", credential()),
        (S::CredentialAuthShare, true) => {
            format!("{} is refused though it worked before{because}", told.access())
        }
        (S::CredentialAuthShare, false) => format!("{} is accepted{because}", told.access()),
        (S::CredentialIdle, true) => format!("{} lies unused{because}", credential()),
        (S::CredentialIdle, false) => format!("{} was used{because}", credential()),
        (S::CredentialRotationOverdue, true) => {
            format!("{} is {said} past the date of its rotation{because}", credential())
        }
        (S::CredentialRotationOverdue, false) => {
            format!("{} is not past the date of its rotation{because}", credential())
        }
        (S::ConnectionFailing, true) => {
            let calls = if told.value == 1.0 { "all its calls" } else { "all their calls" };
            let fail = if told.value == 1.0 { "fails" } else { "fail" };
            format!(
                "{said} of {} {fail} while the others are well, {calls} in a row{because}",
                told.integration()
            )
        }
        (S::ConnectionFailing, false) => format!("connections of {} work{because}", told.integration()),
        (S::PeerFailingIntegrations, true) => {
            format!("{} fails for several integrations at once{because}", told.label("peer", "a vendor"))
        }
        (S::PeerFailingIntegrations, false) => {
            format!("{} does not fail for several integrations{because}", told.label("peer", "a vendor"))
        }
        (S::LatencyShift, true) => format!("calls{} take {said} as long as usual{because}", told.target()),
        (S::LatencyShift, false) => format!("calls{} take about as long as usual{because}", told.target()),
        (S::SloBurnRate, true) => {
            format!("{} uses up its allowance for failures too fast{because}", told.integration())
        }
        (S::SloBurnRate, false) => {
            format!("{} does not use up its allowance for failures too fast{because}", told.integration())
        }
        (S::RateLimitHeadroom, _) => format!("{said} of {} is left{because}", told.limit()),
        (S::RateLimitExhaustsIn, true) => format!("{} runs out in {said}{because}", told.limit()),
        (S::RateLimitExhaustsIn, false) => format!("{} does not run out soon{because}", told.limit()),
        (S::RateLimitForeignShare, true) => {
            format!("somebody else used {said} of what went from {}{because}", told.limit())
        }
        (S::RateLimitForeignShare, false) => format!("{} is used by us{because}", told.limit()),
        (S::WebhookRejectRate, true) => {
            format!("{said} of the webhooks {} are rejected for {}{because}", told.sent(), told.reason())
        }
        (S::WebhookRejectRate, false) => {
            format!("webhooks {} are rejected no more for {}{because}", told.sent(), told.reason())
        }
        (S::WebhookDuplicateJump, true) => {
            format!("webhooks {} come twice {said} as often as usual{because}", told.sent())
        }
        (S::WebhookDuplicateJump, false) => {
            format!("webhooks {} do not come twice more than usual{because}", told.sent())
        }
        (S::WebhookP95OfTimeout, true) => {
            format!(
                "answers to webhooks {} take {said} of the time that the sender waits{because}",
                told.sent()
            )
        }
        (S::WebhookP95OfTimeout, false) => {
            format!("answers to webhooks {} are in time{because}", told.sent())
        }
        (S::WebhookMissed, true) => {
            format!("{} {} stopped coming to {}{because}", told.event(), told.sent(), told.integration())
        }
        (S::WebhookMissed, false) => format!("{} {} come again{because}", told.event(), told.sent()),
        (S::WebhookDeadLettered, true) => format!("{said} {} were given up{because}", told.sent()),
        (S::WebhookDeadLettered, false) => format!("no delivery {} was given up{because}", told.sent()),
        (S::WebhookWritesRatio, true) => format!(
            "{} writes only {said} of what it usually writes for the webhooks that it accepts{because}",
            told.integration()
        ),
        (S::WebhookWritesRatio, false) => format!(
            "{} writes as much as usual for the webhooks that it accepts{because}",
            told.integration()
        ),
        (S::ProbeFailures, true) => {
            format!("the probe {} failed {said} in a row{because}", told.label("probe", "of a receiver"))
                .replace("failures in a row", "times in a row")
        }
        (S::ProbeFailures, false) => {
            format!("the probe {} is answered{because}", told.label("probe", "of a receiver"))
        }
        _ => return None,
    };
    Some(format!("{}.", capital(&clause)))
}

impl Told<'_> {
    fn label<'l>(&'l self, name: &str, else_say: &'l str) -> &'l str {
        self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty()).unwrap_or(else_say)
    }

    fn integration(&self) -> &str {
        self.label("integration", "the integration")
    }

    /// ` to GET /orders at api.example`.
    fn target(&self) -> String {
        let by = |name: &str, word: &str| match self.label(name, "") {
            "" => String::new(),
            value => format!(" {word} {value}"),
        };
        by("endpoint", "to") + &by("peer", "at")
    }

    /// `the limit search of github (acme)`.
    fn limit(&self) -> String {
        let limit = match self.label("limit", "") {
            "" => "the limit".to_owned(),
            name => format!("the limit {name}"),
        };
        let (provider, account) = (self.label("provider", ""), self.label("account", ""));
        let account =
            if account.is_empty() || account == provider { String::new() } else { format!(" ({account})") };
        let of = if provider.is_empty() { String::new() } else { format!(" of {provider}") };
        format!("{limit}{of}{account}")
    }

    fn sent(&self) -> String {
        match self.label("webhook_provider", "") {
            "" => format!("to {}", self.integration()),
            provider => format!("from {provider}"),
        }
    }

    fn reason(&self) -> String {
        self.label("reason", "no reason that is known").replace('_', " ")
    }

    fn event(&self) -> String {
        format!("{} events", self.label("event_type", "all"))
    }

    /// What is refused: a credential, or what stands for one that nobody named.
    fn access(&self) -> String {
        let name = self.label("credential", "the credential");
        match name.split_once(':') {
            Some(("connection", id)) => format!("the access of connection {id}"),
            Some(("peer", host)) => format!("the access to {host}"),
            _ => name.to_owned(),
        }
    }
}

/// A sentence begins with a capital, unless it begins with a name.
fn capital(clause: &str) -> String {
    const WORDS: [&str; 8] =
        ["the ", "calls ", "connections ", "webhooks ", "answers ", "somebody ", "no ", "all events "];
    match clause.get(..1).filter(|_| WORDS.iter().any(|word| clause.starts_with(word))) {
        Some(first) => format!("{}{}", first.to_ascii_uppercase(), clause.get(1..).unwrap_or_default()),
        None => clause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(signal: Signal, name: &str, value: f64, why: &str, verdict: Verdict) -> String {
        let labels = BTreeMap::from([("credential".to_owned(), name.to_owned())]);
        of(&Told { labels: &labels, signal, value, why, verdict }).unwrap()
    }

    #[test]
    fn a_credential_in_words() {
        use Signal as S;
        use Verdict::{Breach, Clear};
        assert_eq!(
            say(
                S::CredentialRefreshRefused,
                "crm-oauth",
                31.0,
                "invalid_grant since 2026-11-26T02:04:00Z, 31 times",
                Breach
            ),
            "The refresh of crm-oauth is refused: invalid_grant since 2026-11-26T02:04:00Z, 31 times; trying again does not help."
        );
        assert_eq!(
            say(
                S::CredentialAuthShare,
                "peer:api.crm.example",
                0.96,
                "48 of 50 calls in 5 min were refused (401, 403)",
                Breach
            ),
            "The access to api.crm.example is refused though it worked before: 48 of 50 calls in 5 min were refused (401, 403)."
        );
        assert_eq!(
            say(S::CredentialAuthShare, "crm-oauth", 0.0, "the latest 5 calls were accepted", Clear),
            "crm-oauth is accepted: the latest 5 calls were accepted."
        );
        assert_eq!(
            say(
                S::CredentialRefreshFailing,
                "crm-oauth",
                0.18,
                "503 since 2026-11-26T02:04:00Z, 3 times",
                Breach
            ),
            "crm-oauth has 18 % of its life left and its refresh fails: 503 since 2026-11-26T02:04:00Z, 3 times."
        );
    }
}
