//! `[tls]`: which ports speak TLS, with which certificates, and whose clients may send.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[tls]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file of the certificate of all ports, and of those between it and the root.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
    /// PEM file of the authorities that vouch for those who send. Pages ask nobody for a certificate.
    pub client_ca: Option<PathBuf>,
    /// Whether those who send must show a certificate.
    pub client_certificates: ClientCertificates,
    /// `[tls.web]`
    pub web: Port,
    /// `[tls.otlp_http]`
    pub otlp_http: Port,
    /// `[tls.otlp_grpc]`
    pub otlp_grpc: Port,
}

/// What one port has of its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Port {
    /// A certificate of its own.
    pub certificate: Option<PathBuf>,
    /// The key of that.
    pub key: Option<PathBuf>,
    /// No TLS here, because something in front of it ends it.
    pub off: bool,
}

/// What a sender without a certificate is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// It is refused.
    #[default]
    Required,
    /// It may send; one that does not hold is refused.
    Optional,
}

/// A certificate, its key, and the section that names them.
pub struct Pair<'c> {
    /// PEM.
    pub certificate: &'c Path,
    /// PEM.
    pub key: &'c Path,
    /// `tls`, or `tls.web`.
    pub section: String,
}

impl Tls {
    /// What one of the three ports is to use; none where it speaks in the clear.
    pub fn of<'c>(&'c self, name: &str, port: &'c Port) -> Option<Pair<'c>> {
        if port.off {
            return None;
        }
        let pair = |certificate: &'c Option<PathBuf>, key: &'c Option<PathBuf>, section: String| {
            Some(Pair { certificate: certificate.as_deref()?, key: key.as_deref()?, section })
        };
        pair(&port.certificate, &port.key, format!("tls.{name}"))
            .or_else(|| pair(&self.certificate, &self.key, "tls".into()))
    }

    /// The three ports by name.
    pub fn ports(&self) -> [(&'static str, &Port); 3] {
        [("web", &self.web), ("otlp_http", &self.otlp_http), ("otlp_grpc", &self.otlp_grpc)]
    }

    /// (text to look for in the file, what is wrong and what to do).
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let sections = self.ports().map(|(name, port)| (format!("tls.{name}"), &port.certificate, &port.key));
        let all = [("tls".to_owned(), &self.certificate, &self.key)].into_iter().chain(sections);
        for (section, certificate, key) in all {
            let missing = match (certificate, key) {
                (Some(_), None) => "key",
                (None, Some(_)) => "certificate",
                _ => continue,
            };
            let problem = format!("[{section}] has no {missing}; a certificate and its key go together.");
            return Err((format!("[{section}]"), problem));
        }
        if let Some((name, _)) =
            self.ports().into_iter().find(|(_, port)| port.off && port.certificate.is_some())
        {
            let problem = format!("[tls.{name}] is off and has a certificate; leave one of them out.");
            return Err((format!("[tls.{name}]"), problem));
        }
        let senders = [("otlp_http", &self.otlp_http), ("otlp_grpc", &self.otlp_grpc)];
        if self.client_ca.is_some() && senders.into_iter().all(|(name, port)| self.of(name, port).is_none()) {
            let problem = "client_ca asks those who send for certificates, and no port that they send to speaks TLS; \
                           give [tls] a certificate and a key.";
            return Err(("client_ca".into(), problem.into()));
        }
        if self.client_ca.is_none() && self.client_certificates == ClientCertificates::Optional {
            let problem = "client_certificates needs client_ca, the authorities that vouch for them.";
            return Err(("client_certificates".into(), problem.into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_port_has_the_certificate_of_all_its_own_or_none() {
        let text = "[tls]\ncertificate = \"a\"\nkey = \"b\"\n[tls.web]\noff = true\n[tls.otlp_grpc]\n\
                    certificate = \"c\"\nkey = \"d\"\n";
        let config = Config::parse("c.toml", text).unwrap();
        let of = |index: usize| {
            let (name, port) = config.tls.ports()[index];
            config.tls.of(name, port).map(|pair| (pair.certificate.display().to_string(), pair.section))
        };
        assert_eq!(of(0), None);
        assert_eq!(of(1), Some(("a".into(), "tls".into())));
        assert_eq!(of(2), Some(("c".into(), "tls.otlp_grpc".into())));
        assert_eq!(config.place("tls.otlp_grpc", "key"), "c.toml:8: ");
        assert_eq!(config.place("tls", "key"), "c.toml:3: ");
        assert_eq!(Config::default().place("tls", "key"), "");
    }

    #[test]
    fn halves_and_contradictions_are_refused_with_their_line() {
        for (text, wanted) in [
            ("[tls]\ncertificate = \"a\"\n", "c.toml:1: [tls] has no key"),
            ("\n[tls.web]\nkey = \"a\"\n", "c.toml:2: [tls.web] has no certificate"),
            ("[tls.web]\noff = true\ncertificate = \"a\"\nkey = \"b\"\n", "c.toml:1: [tls.web] is off"),
            ("[tls]\nclient_ca = \"a\"\n", "c.toml:2: client_ca asks"),
            ("[tls]\nclient_certificates = \"optional\"\n", "c.toml:2: client_certificates needs"),
            ("[tls]\ncertificates = \"a\"\n", "c.toml:2: unknown field `certificates`"),
            ("[tls]\nclient_certificates = \"sometimes\"\n", "c.toml:2: unknown variant"),
        ] {
            let problem = Config::parse("c.toml", text).unwrap_err();
            assert!(problem.starts_with(wanted), "{problem}");
        }
    }
}
