//! What a value must be beyond its type: what would only break later, or lose mail without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::oidc::Oidc;
use super::{Config, Ingest, Server, Smtp};

/// (text to look for in the file, what is wrong and what to do).
pub type Problem = (String, String);

/// Variables that are read.
const VARIABLES: [&str; 16] = [
    "SEAMWATCH_CONFIG",
    "SEAMWATCH_DATA",
    "SEAMWATCH_ALERTS",
    "SEAMWATCH_PROVIDERS",
    "SEAMWATCH_WEB",
    "SEAMWATCH_OTLP_HTTP",
    "SEAMWATCH_OTLP_GRPC",
    "SEAMWATCH_PUBLIC_URL",
    "SEAMWATCH_MAIL_TO",
    "SEAMWATCH_MAIL_FROM",
    "SEAMWATCH_SMTP_HOST",
    "SEAMWATCH_SMTP_PORT",
    "SEAMWATCH_SMTP_USERNAME",
    "SEAMWATCH_SMTP_PASSWORD",
    "SEAMWATCH_LOG",
    "SEAMWATCH_LOG_FORMAT",
];

impl Config {
    /// The values that types leave open.
    pub(super) fn check_values(&self) -> Result<(), Problem> {
        self.server.check()?;
        self.ingest.check()?;
        self.ingest.check_pages()?;
        self.tls.check()?;
        self.oidc.as_ref().map_or(Ok(()), Oidc::check)?;
        if self.mail.to.is_empty() {
            let problem = "[mail] to is empty: nobody would be told. Name an address, or leave the key out.";
            return Err(("to = []".into(), problem.into()));
        }
        if let Some((name, _)) = self.owners.iter().find(|(_, owner)| owner.to.is_empty()) {
            let problem = format!("[owners.{name}] to is empty: nobody would be told. Name an address.");
            return Err((format!("[owners.{name}]"), problem));
        }
        if self.integration.iter().any(|rule| rule.name.trim().is_empty()) {
            let problem = "an [[integration]] has an empty name; give it the name its page shall have.";
            return Err(("name = \"".into(), problem.into()));
        }
        self.check_probes()?;
        self.smtp.as_ref().map_or(Ok(()), Smtp::check)
    }

    /// Integrations that are no longer: retired, or by a name that they had before.
    pub fn retired(&self) -> BTreeSet<String> {
        let retired = self.integration.iter().filter(|one| one.retired).map(|one| &one.name);
        retired.chain(self.integration.iter().flat_map(|one| &one.was)).cloned().collect()
    }

    /// A name can be taken over once, by an integration that keeps its own.
    pub(super) fn check_names(&self) -> Result<(), Problem> {
        let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
        for one in &self.integration {
            for old in &one.was {
                let wrong = |problem: String| Err((format!("\"{old}\""), problem));
                if old.trim().is_empty() || *old == one.name {
                    return wrong(format!("integration \"{}\": was = \"{old}\" is no other name.", one.name));
                }
                if let Some(other) = taken.insert(old, &one.name).filter(|other| *other != one.name) {
                    let problem = format!(
                        "integration \"{}\": was = \"{old}\" is taken over by \"{other}\" already; one name leads to \
                         one integration.",
                        one.name
                    );
                    return wrong(problem);
                }
            }
        }
        if let Some(one) = self.integration.iter().find(|one| taken.contains_key(one.name.as_str())) {
            let problem = format!(
                "integration \"{}\" is taken over by \"{}\"; give its settings to that one and leave it out.",
                one.name,
                taken.get(one.name.as_str()).copied().unwrap_or("")
            );
            return Err((format!("\"{}\"", one.name), problem));
        }
        Ok(())
    }

    /// Variables that look like settings of ours and are none: each a sentence.
    pub fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
        let is_ours = |name: &String| name.starts_with("SEAMWATCH_") && !VARIABLES.contains(&name.as_str());
        let mut unknown: Vec<String> = names
            .filter(|name| is_ours(name) && !is_of_others(name))
            .map(|name| {
                let known = VARIABLES.iter().map(|known| known.trim_start_matches("SEAMWATCH_"));
                let known: Vec<&str> = known.collect();
                format!("environment: {name} is no setting; SEAMWATCH_ goes before {}.", known.join(", "))
            })
            .collect();
        unknown.sort();
        unknown
    }
}

/// Our tests set some, and channels have names of their own; Kubernetes sets others for a service that is named seamwatch.
fn is_of_others(name: &str) -> bool {
    let rest = name.trim_start_matches("SEAMWATCH_");
    rest.starts_with("TEST_")
        || rest.starts_with("CHANNEL_")
        || rest == "PORT"
        || rest.starts_with("PORT_")
        || rest.contains("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
}

impl Server {
    /// The host of `public_url`, empty where there is none.
    pub fn public_host(&self) -> String {
        self.public_url.as_deref().and_then(host_of).unwrap_or_default()
    }

    fn check(&self) -> Result<(), Problem> {
        if self.data.as_os_str().is_empty() {
            return Err(("data".into(), "data is empty; name the folder that everything is kept in.".into()));
        }
        match &self.public_url {
            Some(url) if host_of(url).is_none() => {
                let problem = format!(
                    "public_url = \"{url}\" is no address of a web site; write it like https://seamwatch.example.com."
                );
                Err(("public_url".into(), problem))
            }
            _ => Ok(()),
        }
    }
}

fn host_of(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    let is_web = matches!(url.scheme_str(), Some("http" | "https"));
    let authority = url.authority().filter(|authority| is_web && !authority.as_str().contains('@'))?;
    (!authority.host().is_empty() && url.query().is_none()).then(|| authority.host().to_owned())
}

impl Ingest {
    /// What would never match a browser's Origin, or is no header, is a mistake that nobody would see.
    fn check_pages(&self) -> Result<(), Problem> {
        let is_origin = |origin: &str| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']))
        };
        if let Some(origin) = self.cors_origins.iter().find(|origin| *origin != "*" && !is_origin(origin)) {
            let problem = format!(
                "cors_origins: \"{origin}\" is no origin; write it as browsers do, like https://app.example.com, \
                 without a path, or \"*\" for all."
            );
            return Err((format!("\"{origin}\""), problem));
        }
        if let Some(name) = self.cors_headers.iter().find(|name| name.parse::<http::HeaderName>().is_err()) {
            let problem = format!("cors_headers: \"{name}\" is no name of a header.");
            return Err((format!("\"{name}\""), problem));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Problem> {
        let body = self.max_body_bytes as u64;
        for (key, value, least, why) in [
            ("max_body_bytes", body, 1024, "smaller bodies hold nothing"),
            ("in_flight_bytes", self.in_flight_bytes as u64, body, "the largest body must fit in"),
            ("inbox_bytes", self.inbox_bytes, body, "the largest body must fit in"),
            ("max_connections", self.max_connections as u64, 1, "nothing could be sent"),
            ("endpoints_per_integration", self.endpoints_per_integration as u64, 1, "all would be (other)"),
            ("templates_per_peer", self.templates_per_peer as u64, 1, "all would be (other)"),
        ] {
            if value < least {
                let problem = format!("{key} = {value} must be {least} at least: {why}.");
                return Err((key.into(), problem));
            }
        }
        Ok(())
    }
}

impl Smtp {
    fn check(&self) -> Result<(), Problem> {
        if self.host.trim().is_empty() {
            let problem = "[smtp] host is empty; name the relay, or leave the section out to write files.";
            return Err(("host = \"".into(), problem.into()));
        }
        if self.port == Some(0) {
            return Err(("port".into(), "[smtp] port = 0 is no port of a relay; 587 is usual.".into()));
        }
        Ok(())
    }
}

/// `HOST:PORT`: an address, or this machine by its name.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let by_name = || {
        let (host, port) = text.rsplit_once(':')?;
        let port: u16 = port.parse().ok()?;
        host.eq_ignore_ascii_case("localhost").then(|| SocketAddr::from(([127, 0, 0, 1], port)))
    };
    text.parse().ok().or_else(by_name).ok_or_else(|| {
        format!("\"{text}\" is not HOST:PORT; HOST is an address such as 127.0.0.1, or localhost")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, wanted: &str) {
        match Config::parse("c.toml", text) {
            Err(problem) => assert!(problem.starts_with(wanted), "{problem}"),
            Ok(_) => panic!("taken: {text}"),
        }
    }

    #[test]
    fn lists_that_tell_nobody_are_refused() {
        refused("[mail]\nto = []\n", "c.toml:2: [mail] to is empty");
        refused("[server]\n[owners.x]\nto = []\n", "c.toml:2: [owners.x] to is empty");
        let mut config = Config::default();
        let empty = |name: &str| (name == "SEAMWATCH_MAIL_TO").then(String::new);
        assert!(config.overlay(empty).is_err());
    }

    #[test]
    fn what_would_break_later_is_refused_now() {
        for url in ["not a url", "javascript:alert(1)", "seamwatch.example.com", "ftp://a", "https://", ""] {
            refused(&format!("[server]\npublic_url = \"{url}\"\n"), "c.toml:2: public_url = ");
        }
        assert_eq!(
            Config::parse("c", "[server]\npublic_url = \"https://Seam.example:8443/ops/\"\n")
                .unwrap()
                .server
                .public_host(),
            "Seam.example"
        );
        refused("[server]\ndata = \"\"\n", "c.toml:2: data is empty");
        refused(
            "[[integration]]\nname = \"\"\nservice = \"x\"\n",
            "c.toml:2: an [[integration]] has an empty",
        );
        refused("[smtp]\nhost = \"\"\n", "c.toml:2: [smtp] host is empty");
        for key in [
            "max_body_bytes",
            "in_flight_bytes",
            "inbox_bytes",
            "max_connections",
            "endpoints_per_integration",
        ] {
            refused(&format!("[ingest]\n{key} = 0\n"), &format!("c.toml:2: {key} = 0 must be"));
        }
    }

    #[test]
    fn a_name_is_taken_over_once_and_retired_with_it() {
        let text = "[[integration]]\nname = \"shop\"\nwas = [\"store\", \"web-shop\"]\n\n\
                    [[integration]]\nname = \"fax\"\nretired = true\n";
        let config = Config::parse("c.toml", text).expect("it is right");
        let retired: Vec<String> = config.retired().into_iter().collect();
        assert_eq!(retired, ["fax", "store", "web-shop"]);
        let two =
            "[[integration]]\nname = \"a\"\nwas = [\"x\"]\n[[integration]]\nname = \"b\"\nwas = [\"x\"]\n";
        refused(two, "c.toml:3: integration \"b\": was = \"x\" is taken over by \"a\" already");
        refused("[[integration]]\nname = \"a\"\nwas = [\"a\"]\n", "c.toml:2: integration \"a\": was = ");
        let chain = "[[integration]]\nname = \"a\"\nwas = [\"b\"]\n[[integration]]\nname = \"b\"\ntier = \"simple\"\n";
        refused(chain, "c.toml:3: integration \"b\" is taken over by \"a\"");
    }

    #[test]
    fn a_relays_port_needs_a_relay() {
        for name in ["SEAMWATCH_SMTP_PORT", "SEAMWATCH_SMTP_USERNAME", "SEAMWATCH_SMTP_PASSWORD"] {
            let problem =
                Config::default().overlay(|asked| (asked == name).then(|| "25".into())).unwrap_err();
            assert!(problem.contains(name) && problem.contains("SEAMWATCH_SMTP_HOST"), "{problem}");
        }
    }

    #[test]
    fn a_variable_that_is_mistyped_is_named() {
        let names =
            ["SEAMWATCH_DTA", "SEAMWATCH_DATA", "PATH", "SEAMWATCH_PORT_4318_TCP", "SEAMWATCH_SERVICE_HOST"];
        let said = Config::unknown_variables(names.into_iter().map(String::from));
        assert_eq!(said.len(), 1);
        assert!(
            said[0].contains("SEAMWATCH_DTA is no setting") && said[0].contains("DATA, ALERTS"),
            "{said:?}"
        );
    }

    #[test]
    fn this_machine_has_a_name() {
        assert_eq!(address("localhost:4999"), Ok(([127, 0, 0, 1], 4999).into()));
        assert_eq!(address("[::1]:1").map(|address| address.port()), Ok(1));
        for bad in ["localhost", "example.com:80", ":80", "127.0.0.1", "localhost:99999", ""] {
            assert!(address(bad).is_err_and(|said| said.contains("is not HOST:PORT")), "{bad}");
        }
    }
}
