//! The certificates of the three ports: loaded, looked at again while the server runs, and what is wrong with them.

use std::sync::Arc;

use anyhow::anyhow;

use crate::access::audit::Actor;
use crate::config::Config;
use crate::config::tls::ClientCertificates;
use crate::receive::tls::{Clients, Files, Looked, Tls};
use crate::signals::telemetry::Nanos;
use crate::store::Store;
use crate::web::Trouble;

/// TLS of each port; none where it speaks in the clear.
#[derive(Clone, Default)]
pub struct Certificates {
    /// Of the dashboard and the API.
    pub web: Option<Arc<Tls>>,
    /// Of OTLP over HTTP.
    pub otlp_http: Option<Arc<Tls>>,
    /// Of OTLP over gRPC.
    pub otlp_grpc: Option<Arc<Tls>>,
    /// Each once, however many ports share it.
    all: Vec<Arc<Tls>>,
}

impl Certificates {
    /// Reads what the configuration names.
    pub fn load(config: &Config) -> anyhow::Result<Certificates> {
        let mut loaded: Vec<Arc<Tls>> = Vec::new();
        let mut of = |name: &str, port, clients: Option<Clients>| {
            let Some(pair) = config.tls.of(name, port) else { return Ok(None) };
            let files = Files { certificate: pair.certificate.into(), key: pair.key.into(), clients };
            if let Some(same) = loaded.iter().find(|tls| *tls.files() == files) {
                return Ok(Some(same.clone()));
            }
            let tls = Tls::load(files).map_err(|problem| {
                let section = if problem.key == "client_ca" { "tls" } else { &pair.section };
                anyhow!("{}{}", config.place(section, problem.key), problem.sentence)
            })?;
            let tls = Arc::new(tls);
            loaded.push(tls.clone());
            anyhow::Ok(Some(tls))
        };
        let required = config.tls.client_certificates == ClientCertificates::Required;
        let clients = config.tls.client_ca.clone().map(|ca| Clients { ca, required });
        let web = of("web", &config.tls.web, None)?;
        let otlp_http = of("otlp_http", &config.tls.otlp_http, clients.clone())?;
        let otlp_grpc = of("otlp_grpc", &config.tls.otlp_grpc, clients)?;
        Ok(Certificates { web, otlp_http, otlp_grpc, all: loaded })
    }

    /// Takes up files that have changed. The audit log says so; where it cannot be written they are in force none the less.
    pub async fn look(&self, now: Nanos, store: &Store) {
        for tls in &self.all {
            let (action, detail) = match tls.look(now) {
                None => continue,
                Some(Looked::Changed(detail)) => ("certificate.changed", detail),
                Some(Looked::Refused(detail)) => ("certificate.refused", detail),
            };
            let file = tls.files().certificate.display().to_string();
            if let Err(error) = store.audit(&Actor::server().did(now, action, file, detail)).await {
                tracing::warn!(%error, "That a certificate has changed is not in the audit log.");
            }
        }
    }

    /// What is wrong with them. The web port's and the senders' may be the same files, and are told once.
    pub fn troubles(&self, now: Nanos) -> Vec<Trouble> {
        let mut troubles: Vec<Trouble> = Vec::new();
        for (since, sentence) in self.all.iter().flat_map(|tls| tls.troubles(now)) {
            if !troubles.iter().any(|told| told.sentence == sentence) {
                troubles.push(Trouble { since, refuses: false, sentence });
            }
        }
        troubles
    }
}
