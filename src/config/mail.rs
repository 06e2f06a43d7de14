//! `[mail]`, `[owners]`, `[[channel]]` and `[[digest]]`: who is told, how, and when.

use std::path::PathBuf;

use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use serde::Deserialize;

use super::Config;

/// `[mail]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Sender.
    pub from: String,
    /// Who is told of what no owner is named for, and who stands in for a recipient that is refused.
    pub to: Vec<String>,
    /// Who is told when nobody acknowledges what is critical.
    pub escalate_to: Vec<String>,
    /// Mails a recipient gets within an hour; the rest is told in one summary.
    pub hourly: u32,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            from: "seamwatch@localhost".into(),
            to: vec!["on-call@localhost".into()],
            escalate_to: Vec::new(),
            hourly: 30,
        }
    }
}

/// `[owners.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Addresses.
    pub to: Vec<String>,
    /// Who is told when none of them acknowledges what is critical; without it those of `[mail]`.
    #[serde(default)]
    pub escalate_to: Vec<String>,
}

/// `[[channel]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: ChannelKind,
    /// Where it takes messages.
    pub url: Option<String>,
    /// File that holds that address: of a chat it is a secret.
    pub url_file: Option<PathBuf>,
    /// File that holds what signs, or the routing key.
    pub secret_file: Option<PathBuf>,
    /// The secret itself; only as `SEAMWATCH_CHANNEL_NAME_SECRET`.
    #[serde(skip)]
    pub secret: Option<String>,
    /// What is less severe is not told: info, warning or critical.
    #[serde(default = "warning")]
    pub min_severity: String,
    /// Of these integrations alone; of all where none is named.
    #[serde(default)]
    pub integrations: Vec<String>,
}

/// What a channel speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// JSON of ours, signed as Standard Webhooks has it.
    Webhook,
    /// Slack's incoming webhooks, and what takes the same.
    Slack,
    /// PagerDuty's Events API, version 2.
    PagerDuty,
}

/// `[[digest]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// Addresses.
    pub to: Vec<String>,
    /// Every day, or once a week.
    #[serde(default)]
    pub every: Every,
    /// The day of the week, of a weekly one.
    #[serde(default = "monday")]
    pub on: Weekday,
    /// When, `08:00`.
    #[serde(default = "eight")]
    pub at: String,
    /// In which zone, `Europe/Berlin`.
    #[serde(default = "utc")]
    pub zone: String,
}

/// How often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Every {
    /// Once a day.
    #[default]
    Day,
    /// Once a week.
    Week,
}

fn warning() -> String {
    "warning".into()
}

fn monday() -> Weekday {
    Weekday::Mon
}

fn eight() -> String {
    "08:00".into()
}

fn utc() -> String {
    "UTC".into()
}

impl Channel {
    /// `SEAMWATCH_CHANNEL_NAME_URL`, where its name's letters are capitals and what is no letter or digit is `_`.
    pub fn variable(&self, what: &str) -> String {
        let capital = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        format!("SEAMWATCH_CHANNEL_{}_{what}", self.name.chars().map(capital).collect::<String>())
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            return Err(format!("channel \"{name}\" needs a name of letters, digits, - and _, 64 at most."));
        }
        if !["info", "warning", "critical"].contains(&&*self.min_severity) {
            return Err(format!(
                "min_severity \"{}\" is not one of info, warning, critical.",
                self.min_severity
            ));
        }
        let has_url = self.url.is_some() || self.url_file.is_some();
        if !has_url && self.kind != ChannelKind::PagerDuty {
            return Err(format!("channel \"{name}\" needs a url, a url_file or {}.", self.variable("URL")));
        }
        Ok(())
    }
}

impl Digest {
    /// When, and in which zone.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn time(&self) -> Result<(NaiveTime, Tz), String> {
        let at = NaiveTime::parse_from_str(&self.at, "%H:%M")
            .map_err(|_| format!("at \"{}\" is no time of day, like 08:00.", self.at))?;
        let zone = self.zone.parse().map_err(|_| {
            format!("zone \"{}\" is no IANA time zone, like Europe/Berlin or UTC.", self.zone)
        })?;
        Ok((at, zone))
    }
}

impl Config {
    /// Who is told: (text to look for in the file, what is wrong and what to do).
    pub(super) fn check_told(&self) -> Result<(), (String, String)> {
        let owned = self.owners.values().flat_map(|owner| owner.to.iter().chain(&owner.escalate_to));
        let mail = self.mail.to.iter().chain(&self.mail.escalate_to).chain([&self.mail.from]);
        let digests = self.digest.iter().flat_map(|digest| &digest.to);
        for address in mail.chain(owned).chain(digests) {
            if address.parse::<lettre::Address>().is_err() {
                let problem = format!("\"{address}\" is not an e-mail address.");
                return Err((format!("\"{address}\""), problem));
            }
        }
        if self.mail.hourly == 0 {
            return Err((
                "hourly".into(),
                "hourly = 0 would tell nobody of anything; 30 is the default.".into(),
            ));
        }
        for (at, channel) in self.channel.iter().enumerate() {
            let of_name = || format!("\"{}\"", channel.name);
            channel.check().map_err(|problem| (of_name(), problem))?;
            if self.channel.iter().take(at).any(|other| other.name == channel.name) {
                return Err((of_name(), format!("channel \"{}\" is there twice.", channel.name)));
            }
        }
        for digest in &self.digest {
            digest.time().map_err(|problem| (format!("\"{}\"", digest.at), problem))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_is_checked_with_its_line() {
        for (text, said) in [
            ("[mail]\nescalate_to = [\"nobody\"]\n", "c.toml:2: \"nobody\" is not an e-mail address."),
            ("[mail]\nhourly = 0\n", "c.toml:2: hourly = 0 would"),
            (
                "[owners.x]\nto = [\"a@example.com\"]\nescalate_to = [\"y\"]\n",
                "c.toml:3: \"y\" is not an e-mail",
            ),
            ("[[channel]]\nname = \"chat\"\nkind = \"slack\"\n", "c.toml:2: channel \"chat\" needs a url"),
            ("[[channel]]\nname = \"a b\"\nkind = \"pagerduty\"\n", "c.toml:2: channel \"a b\" needs a name"),
            ("[[digest]]\nto = [\"a@example.com\"]\nat = \"8\"\n", "c.toml:3: at \"8\" is no time"),
        ] {
            let problem = Config::parse("c.toml", text).unwrap_err();
            assert!(problem.starts_with(said), "{problem}");
        }
    }

    #[test]
    fn a_channels_secret_comes_from_the_environment() {
        let text = "[[channel]]\nname = \"on-call\"\nkind = \"pagerduty\"\n";
        let mut config = Config::parse("c.toml", text).unwrap();
        let named = |name: &str| (name == "SEAMWATCH_CHANNEL_ON_CALL_SECRET").then(|| "key".into());
        config.overlay(named).unwrap();
        assert_eq!(config.channel[0].secret.as_deref(), Some("key"));
    }

    #[test]
    fn a_digest_has_its_day_and_zone() {
        let text = "[[digest]]\nto = [\"a@example.com\"]\nevery = \"week\"\non = \"Fri\"\nzone = \"Europe/Berlin\"\n";
        let config = Config::parse("c.toml", text).unwrap();
        let digest = &config.digest[0];
        assert_eq!((digest.every, digest.on, digest.at.as_str()), (Every::Week, Weekday::Fri, "08:00"));
        assert!(digest.time().is_ok());
    }
}
