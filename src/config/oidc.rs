//! `[oidc]`: logging in at a provider of identities.

use std::path::PathBuf;

use serde::Deserialize;

/// `[oidc]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The provider, exactly as it names itself: `https://idp.example.com/realms/main`.
    pub issuer: String,
    /// As whom this server is known there.
    pub client_id: String,
    /// File of the secret that goes with it; none for a public client.
    pub client_secret_file: Option<PathBuf>,
    /// Scopes to ask for beside `openid profile email`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The claim that lists a person's groups.
    #[serde(default = "groups")]
    pub groups_claim: String,
    /// Groups whose members are admins.
    #[serde(default)]
    pub admin_groups: Vec<String>,
    /// Groups whose members are operators.
    #[serde(default)]
    pub operator_groups: Vec<String>,
    /// Groups whose members are viewers.
    #[serde(default)]
    pub viewer_groups: Vec<String>,
    /// Domains of e-mail addresses; others are refused, and addresses that the provider has not verified.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
}

fn groups() -> String {
    "groups".into()
}

impl Oidc {
    /// (text to look for in the file, what is wrong and what to do).
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        if !self.issuer.starts_with("https://") && !self.issuer.starts_with("http://") {
            let problem =
                format!("issuer = \"{}\" is not an address like https://idp.example.com.", self.issuer);
            return Err(("issuer".into(), problem));
        }
        for (key, text) in [("client_id", &self.client_id), ("groups_claim", &self.groups_claim)] {
            if text.trim().is_empty() {
                return Err((
                    key.into(),
                    format!("[oidc] {key} is empty; write what the provider gave for it."),
                ));
            }
        }
        let lists = [&self.admin_groups, &self.operator_groups, &self.viewer_groups, &self.allowed_domains];
        if lists.iter().all(|list| list.is_empty()) {
            let problem = "[oidc] lets nobody in: list groups in admin_groups, operator_groups or viewer_groups, or \
                           allowed_domains, whose people may view.";
            return Err(("[oidc]".into(), problem.into()));
        }
        if let Some(domain) = self.allowed_domains.iter().find(|domain| domain.contains(['@', '*', '/', ' ']))
        {
            let problem = format!("allowed_domains: \"{domain}\" is no domain; write example.com.");
            return Err((format!("\"{domain}\""), problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn what_would_let_nobody_in_or_is_no_provider_is_refused() {
        let parse = |more: &str| {
            Config::parse(
                "c.toml",
                &format!("[oidc]\nissuer = \"https://idp.example\"\nclient_id = \"x\"\n{more}"),
            )
        };
        assert!(parse("admin_groups = [\"ops\"]\n").is_ok());
        assert!(parse("allowed_domains = [\"example.com\"]\n").is_ok());
        for (more, wanted) in [
            ("", "c.toml:1: [oidc] lets nobody in"),
            (
                "allowed_domains = [\"@example.com\"]\n",
                "c.toml:4: allowed_domains: \"@example.com\" is no domain",
            ),
            ("groups_claim = \"\"\nadmin_groups = [\"a\"]\n", "c.toml:4: [oidc] groups_claim is empty"),
            ("client_secret = \"x\"\n", "c.toml:4: unknown field `client_secret`"),
        ] {
            let problem = parse(more).unwrap_err();
            assert!(problem.starts_with(wanted), "{problem}");
        }
        let problem = Config::parse("c.toml", "[oidc]\nissuer = \"idp\"\nclient_id = \"x\"\n").unwrap_err();
        assert!(problem.starts_with("c.toml:2: issuer = \"idp\" is not an address"), "{problem}");
    }
}
