//! Certificates made for one test, and a client that trusts them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use chrono::Datelike;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::SOON;

/// Somebody who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate of this machine, and its key, as two files; valid for so many days.
    pub fn issue(&self, certificate: &Path, key: &Path, days: u64) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let end = chrono::Utc::now() + chrono::Days::new(days);
        params.not_after = rcgen::date_time_ymd(end.year(), end.month() as u8, end.day() as u8);
        let pair = KeyPair::generate().expect("a key");
        let made = params.signed_by(&pair, &self.issuer).expect("a certificate");
        std::fs::write(certificate, made.pem()).expect("a file can be written");
        std::fs::write(key, pair.serialize_pem()).expect("a file can be written");
        std::fs::set_permissions(key, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
    }

    fn connect(&self, address: &str) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("PEM")).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(config, name).expect("a connection can begin");
        let stream = TcpStream::connect(address).expect("the port takes connections");
        stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
        StreamOwned::new(connection, stream)
    }

    /// GET over HTTPS: the whole answer, head and body.
    pub fn get(&self, address: &str, path: &str) -> String {
        let mut stream = self.connect(address);
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request can be sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The certificate that a port shows.
    pub fn shown(&self, address: &str) -> Vec<u8> {
        let mut stream = self.connect(address);
        stream.conn.complete_io(&mut stream.sock).expect("a handshake");
        stream.conn.peer_certificates().and_then(|all| all.first()).expect("a certificate").to_vec()
    }
}
