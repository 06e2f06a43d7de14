//! `[access]`: who may come in, beside those who sign in here.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Config;

/// `[access]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Networks of proxies in front of the web port, `10.0.0.0/8` or one address. From them alone `X-Forwarded-For` and
    /// the headers below are believed.
    pub trusted_proxies: Vec<String>,
    /// The header in which these proxies name who is signed in, such as `X-Forwarded-User`.
    pub user_header: Option<String>,
    /// The header in which they name the user's groups, with commas between.
    pub groups_header: Option<String>,
    /// Group → role, for people whom somebody else vouches for.
    pub groups: BTreeMap<String, String>,
    /// The role of those who are in none of these groups; without it they are not let in.
    pub otherwise: Option<String>,
}

/// (text to look for in the file, what is wrong and what to do).
type Problem = (String, String);

impl Config {
    /// Whether people are told from each other by somebody else: a proxy, or a provider of identities.
    pub fn others_vouch(&self) -> bool {
        self.oidc.is_some() || self.access.user_header.is_some()
    }

    /// Whether what people type on the pages is covered: by our certificate, or by a proxy in front.
    pub fn web_is_covered(&self) -> bool {
        self.tls.of("web", &self.tls.web).is_some() || !self.access.trusted_proxies.is_empty()
    }
}

impl Access {
    pub(super) fn check(&self) -> Result<(), Problem> {
        if let Some(header) = self.user_header.as_ref().or(self.groups_header.as_ref())
            && self.trusted_proxies.is_empty()
        {
            let problem = format!(
                "{header} is believed from no one: name the networks of the proxies that set it as trusted_proxies."
            );
            return Err((format!("\"{header}\""), problem));
        }
        for header in self.user_header.iter().chain(&self.groups_header) {
            if http::HeaderName::try_from(header.as_str()).is_err() {
                return Err((format!("\"{header}\""), format!("\"{header}\" is no name of a header.")));
            }
        }
        if self.user_header.is_some() && self.groups.is_empty() && self.otherwise.is_none() {
            let problem =
                "user_header lets nobody in: give roles by [access.groups], or one to all by otherwise.";
            return Err(("user_header".into(), problem.into()));
        }
        for network in &self.trusted_proxies {
            let (address, bits) = network.split_once('/').unwrap_or((network, ""));
            let most =
                address.parse::<std::net::IpAddr>().map(|address| if address.is_ipv4() { 32 } else { 128 });
            let is_sound =
                most.is_ok_and(|most| bits.is_empty() || bits.parse::<u8>().is_ok_and(|bits| bits <= most));
            if !is_sound {
                let problem = format!(
                    "trusted_proxies: \"{network}\" is no network; write it like 10.0.0.0/8, or a single address."
                );
                return Err((format!("\"{network}\""), problem));
            }
        }
        for role in self.groups.values().chain(&self.otherwise) {
            if !["viewer", "operator", "admin"].contains(&role.as_str()) {
                return Err((
                    format!("\"{role}\""),
                    format!("\"{role}\" is no role; there are viewer, operator and admin."),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn what_would_let_in_the_wrong_people_is_a_mistake() {
        for (text, said) in [
            ("user_header = \"X-Forwarded-User\"", "c.toml:2: X-Forwarded-User is believed from no one"),
            (
                "trusted_proxies = [\"10.0.0.0/33\"]",
                "c.toml:2: trusted_proxies: \"10.0.0.0/33\" is no network",
            ),
            (
                "trusted_proxies = [\"10.0.0.1\"]\nuser_header = \"X-U\"",
                "c.toml:3: user_header lets nobody in",
            ),
            ("otherwise = \"root\"", "c.toml:2: \"root\" is no role"),
            (
                "trusted_proxies = [\"::1\"]\nuser_header = \"a b\"",
                "c.toml:3: \"a b\" is no name of a header",
            ),
        ] {
            let problem = Config::parse("c.toml", &format!("[access]\n{text}\n")).unwrap_err();
            assert!(problem.starts_with(said), "{problem}");
        }
        let good = "[access]\ntrusted_proxies = [\"10.0.0.0/8\"]\nuser_header = \"X-Forwarded-User\"\ngroups_header = \"X-Groups\"\n\
                    [access.groups]\nops = \"operator\"\n";
        assert!(Config::parse("c.toml", good).is_ok());
    }
}
