//! The configuration: `seamwatch.toml`, over it `SEAMWATCH_*`, over it the command line. One typed tree, validated once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

pub mod access;
pub mod encryption;
pub mod endpoint;
pub mod heartbeat;
pub mod integration;
pub mod mail;
pub mod metric;
pub mod notice;
pub mod oidc;
pub mod outgoing;
pub mod probe;
pub mod redaction;
pub mod retention;
pub mod tls;
pub mod values;
pub mod written;

/// The whole tree. Every field has a default, so that no file is needed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where things are and which addresses are bound.
    pub server: Server,
    /// What comes in, and how much of it at once.
    pub ingest: Ingest,
    /// Who may come in.
    pub access: access::Access,
    /// Which ports speak TLS, and with which certificates.
    pub tls: tls::Tls,
    /// What the data folder is encrypted with.
    pub encryption: encryption::Encryption,
    /// What may be called over HTTP.
    pub outgoing: outgoing::Outgoing,
    /// Where people may log in beside here.
    pub oidc: Option<oidc::Oidc>,
    /// Who outside is told that Seamwatch does its work.
    pub heartbeat: Option<heartbeat::Heartbeat>,
    /// Who is told.
    pub mail: mail::Mail,
    /// The relay. Without it mails are written as .eml files into the data folder.
    pub smtp: Option<Smtp>,
    /// `[[channel]]`: ways to be told besides e-mail.
    pub channel: Vec<mail::Channel>,
    /// `[[digest]]`: who is told how everything stands, and when.
    pub digest: Vec<mail::Digest>,
    /// What is taken out of telemetry besides what always is.
    pub redaction: redaction::Redaction,
    /// How long things are kept.
    pub retention: retention::Retention,
    /// Which environments are shown and never notify.
    pub environments: integration::Environments,
    /// `[owners.NAME]`: who is told of an integration that names this owner.
    pub owners: BTreeMap<String, mail::Owner>,
    /// `[[integration]]`: what the operator says of integrations.
    pub integration: Vec<integration::Integration>,
    /// `[[notice]]`: what vendors announced to end.
    pub notice: Vec<notice::Notice>,
    /// `[[probe]]`: receivers that are asked from outside.
    pub probe: Vec<probe::Probe>,
    /// `[[endpoint]]`: what ambiguous answers mean.
    pub endpoint: Vec<endpoint::Endpoint>,
    /// `[[metric]]`: metrics of others that are one of ours.
    pub metric: Vec<metric::Metric>,
    /// The file as it was written, to say where in it a problem is.
    #[serde(skip)]
    pub written: Option<written::Written>,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Folder of the catalog, the inbox, the segments and the mails.
    pub data: PathBuf,
    /// Folder of the rules; without it, `alerts` where that exists, else the rules that ship.
    pub alerts: Option<PathBuf>,
    /// Folder of facts on vendors, over those that ship; without it, `providers` where that exists.
    pub providers: Option<PathBuf>,
    /// Dashboard and API.
    #[serde(deserialize_with = "address")]
    pub web: SocketAddr,
    /// OTLP over HTTP, and `/report`.
    #[serde(deserialize_with = "address")]
    pub otlp_http: SocketAddr,
    /// OTLP over gRPC.
    #[serde(deserialize_with = "address")]
    pub otlp_grpc: SocketAddr,
    /// Where people reach the dashboard: the links in mails start with it.
    pub public_url: Option<String>,
    /// Addresses beyond this machine are served though no user or no key exists.
    pub insecure_public: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            data: "seamwatch-data".into(),
            alerts: None,
            providers: None,
            web: ([127, 0, 0, 1], 4380).into(),
            otlp_http: ([127, 0, 0, 1], 4318).into(),
            otlp_grpc: ([127, 0, 0, 1], 4317).into(),
            public_url: None,
            insecure_public: false,
        }
    }
}

/// `[ingest]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ingest {
    /// Largest body, before and after decompression, in bytes.
    pub max_body_bytes: usize,
    /// Bytes of requests in work at once, until they are counted; beyond it senders are asked to come again.
    pub in_flight_bytes: usize,
    /// Open connections to one port; beyond it the one that has been idle longest makes room.
    pub max_connections: usize,
    /// Bytes of the inbox on disk; beyond it senders are asked to come again.
    pub inbox_bytes: u64,
    /// Seconds for which the same request counts once; 0 counts every copy.
    pub claim_seconds: u64,
    /// Requests remembered for that, about 80 bytes each; beyond it the oldest are forgotten early.
    pub claims: usize,
    /// Browser origins that may send.
    pub cors_origins: Vec<String>,
    /// Headers that their pages may send besides OTLP's own.
    pub cors_headers: Vec<String>,
    /// Whether what is sent from this machine needs a key too, once there is one.
    pub keys_on_loopback: bool,
    /// Endpoints an integration; the rest is `(other)`.
    pub endpoints_per_integration: usize,
    /// Metric streams whose last point is remembered; beyond it the longest silent is forgotten.
    pub metric_streams: usize,
    /// The same of one integration.
    pub metric_streams_per_integration: usize,
    /// Endpoints of one peer of an integration; the rest is that peer's `(other)`.
    pub templates_per_peer: usize,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 << 20,
            in_flight_bytes: 128 << 20,
            max_connections: 4096,
            inbox_bytes: 4 << 30,
            claim_seconds: 3600,
            claims: 1_000_000,
            cors_origins: Vec::new(),
            cors_headers: Vec::new(),
            keys_on_loopback: true,
            endpoints_per_integration: 500,
            metric_streams: 100_000,
            metric_streams_per_integration: 20_000,
            templates_per_peer: 200,
        }
    }
}

/// `[smtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Host name of the relay.
    pub host: String,
    /// Port; 587 for STARTTLS, 465 for implicit TLS, 25 for none unless given.
    pub port: Option<u16>,
    /// How the connection is secured.
    #[serde(default)]
    pub tls: Tls,
    /// PEM file of a certificate authority to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// User name.
    pub username: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// The password itself; only as `SEAMWATCH_SMTP_PASSWORD`.
    #[serde(skip)]
    pub password: Option<String>,
}

/// How a connection to the relay is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// STARTTLS, required.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None: only to a loopback address.
    None,
}

impl Config {
    /// Reads a file. A problem comes back as one sentence that starts with file:line.
    pub fn read(path: &Path) -> Result<Config, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: cannot be read: {error}.", path.display()))?;
        Config::parse(&path.display().to_string(), &text)
    }

    /// Reads a file's text. `name` stands in the messages.
    pub fn parse(name: &str, text: &str) -> Result<Config, String> {
        let mut config: Config = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            format!("{name}:{}: {}.", line_of(text, at), error.message().trim_end_matches('.'))
        })?;
        config.validate().map_err(|(needle, problem)| {
            let at = text.find(&needle).unwrap_or(0);
            format!("{name}:{}: {problem}", line_of(text, at))
        })?;
        config.written = Some(written::Written { name: name.to_owned(), text: text.to_owned() });
        Ok(config)
    }

    /// Takes the environment's overrides over the file's.
    pub fn overlay(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
        if let Some(to) = variable("SEAMWATCH_MAIL_TO") {
            self.mail.to = to.split(',').map(|address| address.trim().to_owned()).collect();
        }
        if let Some(from) = variable("SEAMWATCH_MAIL_FROM") {
            self.mail.from = from;
        }
        if let Some(url) = variable("SEAMWATCH_PUBLIC_URL") {
            self.server.public_url = Some(url);
        }
        if let Some(host) = variable("SEAMWATCH_SMTP_HOST") {
            let smtp = Smtp {
                host: host.clone(),
                port: None,
                tls: Tls::default(),
                ca_file: None,
                username: None,
                password_file: None,
                password: None,
            };
            self.smtp.get_or_insert(smtp).host = host;
        }
        let of_relay = ["SEAMWATCH_SMTP_PORT", "SEAMWATCH_SMTP_USERNAME", "SEAMWATCH_SMTP_PASSWORD"];
        if let (None, Some(name)) = (&self.smtp, of_relay.into_iter().find(|name| variable(name).is_some())) {
            return Err(format!(
                "environment: {name} is set and no relay is named; set SEAMWATCH_SMTP_HOST too, or [smtp] host."
            ));
        }
        if let Some(smtp) = &mut self.smtp {
            if let Some(port) = variable("SEAMWATCH_SMTP_PORT") {
                smtp.port = Some(port.parse().map_err(|_| {
                    format!("SEAMWATCH_SMTP_PORT: \"{port}\" is not a port number (0 to 65535).")
                })?);
            }
            smtp.username = variable("SEAMWATCH_SMTP_USERNAME").or(smtp.username.take());
            smtp.password = variable("SEAMWATCH_SMTP_PASSWORD");
        }
        for channel in &mut self.channel {
            channel.url = variable(&channel.variable("URL")).or(channel.url.take());
            channel.secret = variable(&channel.variable("SECRET"));
        }
        self.validate().map_err(|(_, problem)| format!("environment: {problem}"))
    }

    /// What types cannot say: (text to look for in the file, what is wrong and what to do).
    fn validate(&self) -> Result<(), (String, String)> {
        self.check_values()?;
        self.ingest.check_bounds()?;
        self.redaction.check()?;
        self.retention.check()?;
        self.access.check()?;
        self.check_names()?;
        self.metric.iter().try_for_each(|metric| metric.mapping().map(|_| ()))?;
        self.check_integrations()?;
        self.notice.iter().try_for_each(notice::Notice::check)?;
        self.check_told()?;
        if let Some(smtp) = &self.smtp
            && smtp.tls == Tls::None
            && !["localhost", "127.0.0.1", "::1"].contains(&smtp.host.as_str())
        {
            let problem = format!(
                "tls = \"none\" sends mail and password in the clear to {}; use \"starttls\" or \"implicit\".",
                smtp.host
            );
            return Err(("tls".into(), problem));
        }
        Ok(())
    }
}

impl Ingest {
    /// Bounds that contradict each other.
    fn check_bounds(&self) -> Result<(), (String, String)> {
        if self.claim_seconds > 604_800 {
            let problem = format!(
                "claim_seconds = {} must be 0 to 604800, a week: senders do not try for longer.",
                self.claim_seconds
            );
            return Err(("claim_seconds".into(), problem));
        }
        // Half as much again as the largest, so that one does not need the server to itself.
        let least = self.max_body_bytes.saturating_add(4096).saturating_mul(3) / 2;
        if self.in_flight_bytes < least {
            let problem = format!(
                "in_flight_bytes = {} is too little for bodies of max_body_bytes = {}: the largest would never be \
                 taken. Make it at least {least}.",
                self.in_flight_bytes, self.max_body_bytes
            );
            return Err(("in_flight_bytes".into(), problem));
        }
        Ok(())
    }
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    values::address(&text).map_err(serde::de::Error::custom)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let problem = Config::parse("seamwatch.toml", "[server]\nwebb = \"127.0.0.1:1\"\n").unwrap_err();
        assert!(problem.starts_with("seamwatch.toml:2: unknown field `webb`"), "{problem}");
    }

    #[test]
    fn the_budget_must_hold_the_largest_body() {
        let text = "[ingest]\nin_flight_bytes = 67108864\n";
        let problem = Config::parse("c.toml", text).unwrap_err();
        assert!(problem.starts_with("c.toml:2: in_flight_bytes = 67108864 is too little"), "{problem}");
        assert!(
            Config::parse("c.toml", "[ingest]\nin_flight_bytes = 100669440\nclaim_seconds = 0\n").is_ok()
        );
    }

    #[test]
    fn an_owner_must_be_known() {
        let text = "[[integration]]\nname = \"shop\"\nowner = \"nobody\"\n";
        let problem = Config::parse("c.toml", text).unwrap_err();
        assert!(problem.starts_with("c.toml:3: owner \"nobody\" is not in [owners]"), "{problem}");
    }

    #[test]
    fn pages_that_may_send_are_named_as_browsers_name_them() {
        for (key, bad) in [
            ("cors_origins", "https://app.example/"),
            ("cors_origins", "app.example"),
            ("cors_origins", "https://*.app.example"),
            ("cors_headers", "x api key"),
        ] {
            let problem = Config::parse("c.toml", &format!("[ingest]\n{key} = [\"{bad}\"]\n")).unwrap_err();
            assert!(problem.starts_with(&format!("c.toml:2: {key}: \"{bad}\" is no ")), "{problem}");
        }
        let good = "[ingest]\ncors_origins = [\"*\", \"https://app.example:8443\"]\ncors_headers = [\"X-Api-Key\"]\n";
        assert!(Config::parse("c.toml", good).is_ok());
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let mut config = Config::parse("c.toml", "[smtp]\nhost = \"relay.example\"\n").unwrap();
        config.overlay(|name| (name == "SEAMWATCH_SMTP_PORT").then(|| "2525".into())).unwrap();
        assert_eq!(config.smtp.unwrap().port, Some(2525));
        let mut plain = Config::default();
        assert!(plain.overlay(|name| (name == "SEAMWATCH_MAIL_TO").then(|| "no address".into())).is_err());
    }
}
