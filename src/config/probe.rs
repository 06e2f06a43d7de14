//! `[[probe]]`: receivers of ours that are asked from outside.

use serde::Deserialize;

use super::Config;
use super::values::Problem;

/// `[[probe]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What it is called in alerts.
    pub name: String,
    /// What is asked.
    pub url: String,
    /// How.
    #[serde(default = "get")]
    pub method: String,
    /// The status that is expected; any 2xx unless given.
    pub status: Option<u16>,
    /// How often.
    #[serde(default = "a_minute")]
    pub every_seconds: u32,
    /// Whose receiver it is.
    #[serde(default)]
    pub integration: String,
    /// Where.
    #[serde(default = "default")]
    pub environment: String,
}

fn get() -> String {
    "GET".into()
}

const fn a_minute() -> u32 {
    60
}

fn default() -> String {
    "default".into()
}

impl Config {
    /// What of the probes types leave open; whether an address may be called is asked later.
    pub(super) fn check_probes(&self) -> Result<(), Problem> {
        for (at, probe) in self.probe.iter().enumerate() {
            let needle = format!("name = \"{}\"", probe.name);
            let wrong = |what: &str| Err((needle.clone(), format!("[[probe]] \"{}\": {what}", probe.name)));
            if probe.name.trim().is_empty() {
                return wrong("it needs a name.");
            }
            if self.probe.iter().take(at).any(|other| other.name == probe.name) {
                return wrong("another probe has this name.");
            }
            if !matches!(&*probe.method, "GET" | "HEAD" | "POST" | "PUT" | "OPTIONS") {
                return wrong("method is GET, HEAD, POST, PUT or OPTIONS.");
            }
            if !(10..=86_400).contains(&probe.every_seconds) {
                return wrong("every_seconds is from 10 to 86400.");
            }
            if probe.status.is_some_and(|status| !(100..600).contains(&status)) {
                return wrong("status is from 100 to 599.");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_has_defaults_and_its_mistakes_are_named_with_their_line() {
        let read = |more: &str| {
            Config::parse(
                "x.toml",
                &format!("[[probe]]\nname = \"hooks\"\nurl = \"https://a.example/\"\n{more}"),
            )
        };
        let config = read("").unwrap();
        let probe = config.probe.first().unwrap();
        assert_eq!((&*probe.method, probe.status, probe.every_seconds), ("GET", None, 60));
        assert_eq!(&*probe.environment, "default");
        let wrong = |more: &str| read(more).unwrap_err();
        assert!(wrong("every_seconds = 5\n").starts_with("x.toml:2: [[probe]] \"hooks\": every_seconds"));
        assert!(wrong("method = \"BREW\"\n").contains("method is GET"));
        assert!(wrong("status = 42\n").contains("status is from 100"));
        assert!(
            wrong("[[probe]]\nname = \"hooks\"\nurl = \"https://b.example/\"\n").contains("another probe")
        );
    }
}
