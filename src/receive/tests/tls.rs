//! TLS of a port over real sockets: who gets in, who does not, and certificates that change while it runs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::Router;
use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::certificate::Certificate;
use super::super::counters::Counters;
use super::super::listen::{Port, listen};
use super::super::tls::{Clients, Files, Looked, Tls};
use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
const DAY: i64 = 86_400 * 1_000_000_000;

/// Somebody who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn issue(&self, name: &str) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    fn trusted(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }
}

/// The files of a port.
struct Folder {
    folder: TempDir,
    files: Files,
}

impl Folder {
    fn of(pair: &Pair) -> Folder {
        let folder = TempDir::new().unwrap();
        let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        let here = Folder { folder, files: Files { certificate, key, clients: None } };
        here.put(pair);
        here
    }

    fn asking(mut self, clients: &Authority, required: bool) -> Folder {
        let ca = self.folder.path().join("clients.pem");
        std::fs::write(&ca, &clients.pem).unwrap();
        self.files.clients = Some(Clients { ca, required });
        self
    }

    fn put(&self, pair: &Pair) {
        std::fs::write(&self.files.certificate, &pair.certificate).unwrap();
        private(&self.files.key, &pair.key);
    }

    async fn serve(&self, settings: Settings) -> Port443 {
        let tls = Arc::new(Tls::load(self.files.clone()).unwrap());
        let router = Router::new().route(
            "/",
            get(|request: Request<axum::body::Body>| async move {
                let version = request.version();
                let client = Certificate::of_client(request.extensions());
                format!("{version:?} {}", client.map_or("nobody", |client| &client.subject))
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, counters) = (listener.local_addr().unwrap(), Arc::new(Counters::default()));
        let port = Port { listener, tls: Some(tls.clone()) };
        tokio::spawn(listen(port, router, settings, counters.clone(), CancellationToken::new()));
        Port443 { address, tls, counters }
    }
}

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

struct Port443 {
    address: SocketAddr,
    tls: Arc<Tls>,
    counters: Arc<Counters>,
}

impl Port443 {
    fn count(&self, name: &str) -> u64 {
        self.counters.snapshot().into_iter().find(|(counter, _)| counter == name).unwrap().1
    }

    async fn connect(
        &self,
        roots: &Authority,
        client: Option<&Pair>,
        alpn: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots.trusted());
        let mut config = match client {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = alpn.split_whitespace().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// What an HTTP/1 request is answered; an error where it does not get that far.
    async fn get(&self, roots: &Authority, client: Option<&Pair>) -> std::io::Result<String> {
        let mut stream = self.connect(roots, client, "http/1.1").await?;
        stream.write_all(GET).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// The certificate that it shows.
    async fn shows(&self, roots: &Authority) -> Vec<u8> {
        let stream = self.connect(roots, None, "http/1.1").await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }
}

/// A read that must come to an end.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    // A reset is an end too.
    let _ = read.expect("the server kept the connection open");
    rest
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls_as_alpn_says() {
    let authority = Authority::new("ours");
    let port = Folder::of(&authority.issue("localhost")).serve(Settings::default()).await;
    assert!(port.get(&authority, None).await.unwrap().ends_with("HTTP/1.1 nobody"));
    let stream = port.connect(&authority, None, "h2 http/1.1").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "ours first");
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().uri("https://localhost/").body(Full::<Bytes>::default()).unwrap();
    let answer = send.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, "HTTP/2.0 nobody");
    // Without ALPN it is HTTP/1, whatever bytes come.
    let mut stream = port.connect(&authority, None, "").await.unwrap();
    stream.write_all(GET).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("HTTP/1.1 nobody"));
    assert!(port.connect(&authority, None, "smtp").await.is_err());
}

#[tokio::test]
async fn the_clear_and_old_versions_are_closed() {
    let authority = Authority::new("ours");
    let port = Folder::of(&authority.issue("localhost")).serve(Settings::default()).await;
    let mut clear = TcpStream::connect(port.address).await.unwrap();
    clear.write_all(GET).await.unwrap();
    let said = rest(&mut clear).await;
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
    // A ClientHello: its version, 32 random bytes, one cipher, no compression, one group, one kind of signature.
    let hello = |minor: u8| {
        let extensions = [0, 0x0a, 0, 4, 0, 2, 0, 0x1d, 0, 0x0d, 0, 4, 0, 2, 4, 3];
        let ciphers = [0, 0, 2, 0xc0, 0x2b, 1, 0, 0, extensions.len() as u8];
        let hello = [&[3, minor][..], &[7; 32], &ciphers, &extensions].concat();
        let length = hello.len() as u8;
        [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
    };
    let mut old = TcpStream::connect(port.address).await.unwrap();
    old.write_all(&hello(2)).await.unwrap();
    // A fatal alert, protocol_version.
    assert_eq!(rest(&mut old).await, [0x15, 3, 3, 0, 2, 2, 70]);
    // The same of TLS 1.2 is answered.
    let mut known = TcpStream::connect(port.address).await.unwrap();
    known.write_all(&hello(3)).await.unwrap();
    assert_eq!(known.read_u8().await.unwrap(), 0x16);
    assert_eq!(port.count("connections_handshake_failed"), 2);
}

#[tokio::test]
async fn who_must_show_a_certificate_gets_in_by_one_of_the_right_authority_only() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server = ours.issue("localhost");
    let (known, unknown) = (ours.issue("worker-7"), theirs.issue("worker-7"));
    let port = Folder::of(&server).asking(&ours, true).serve(Settings::default()).await;
    assert!(port.get(&ours, Some(&known)).await.unwrap().ends_with("HTTP/1.1 CN=worker-7"));
    assert!(port.get(&ours, Some(&unknown)).await.is_err());
    assert!(port.get(&ours, None).await.is_err());
    assert_eq!(port.count("connections_handshake_failed"), 2);

    let port = Folder::of(&server).asking(&ours, false).serve(Settings::default()).await;
    assert!(port.get(&ours, Some(&known)).await.unwrap().ends_with("CN=worker-7"));
    assert!(port.get(&ours, None).await.unwrap().ends_with("nobody"));
    assert!(port.get(&ours, Some(&unknown)).await.is_err(), "optional is not anything");
}

#[tokio::test]
async fn handshakes_that_do_not_end_stop_nobody_and_are_let_go() {
    let authority = Authority::new("ours");
    let settings = Settings { header_timeout: Duration::from_millis(500), ..Settings::default() };
    let port = Folder::of(&authority.issue("localhost")).serve(settings).await;
    let mut slow = Vec::new();
    for n in 0..20 {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        // Nothing, or the beginning of a record.
        stream.write_all(if n % 2 == 0 { b"" } else { &[0x16, 3, 1, 2, 0, 1] }).await.unwrap();
        slow.push(stream);
    }
    assert!(port.get(&authority, None).await.unwrap().ends_with("nobody"));
    for stream in &mut slow {
        assert_eq!(rest(stream).await, b"");
    }
    assert_eq!(port.count("connections_slow"), 20);
    assert!(port.get(&authority, None).await.unwrap().ends_with("nobody"));
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_open_connections_go_on() {
    let authority = Authority::new("ours");
    let folder = Folder::of(&authority.issue("localhost"));
    let port = folder.serve(Settings::default()).await;
    let before = port.shows(&authority).await;
    let mut open = port.connect(&authority, None, "http/1.1").await.unwrap();
    folder.put(&authority.issue("localhost"));
    assert_eq!(port.shows(&authority).await, before, "nobody has looked yet");
    let told = port.tls.look(1);
    assert!(matches!(&told, Some(Looked::Changed(why)) if why.contains("until ")), "{told:?}");
    assert_ne!(port.shows(&authority).await, before);
    assert_eq!(port.tls.troubles(1), []);
    open.write_all(GET).await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("nobody"));
}

#[tokio::test]
async fn new_files_that_do_not_work_change_nothing_and_are_told() {
    let authority = Authority::new("ours");
    let first = authority.issue("localhost");
    let folder = Folder::of(&first);
    let port = folder.serve(Settings::default()).await;
    let before = port.shows(&authority).await;
    let second = authority.issue("localhost");
    for (text, wanted) in [
        (second.certificate.as_str(), "does not belong to the certificate"),
        ("", "holds no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "something else than an X.509"),
        ("-----BEGIN CERTIFICATE-----\n!", "is damaged"),
    ] {
        std::fs::write(&folder.files.certificate, text).unwrap();
        assert_eq!(port.tls.look(5), None);
        assert_eq!(port.tls.troubles(6), [], "the first look may have come between two files");
        let told = port.tls.look(7);
        assert!(matches!(&told, Some(Looked::Refused(why)) if why.contains(wanted)), "{told:?}");
        assert_eq!(port.tls.look(7), None, "it is said once");
        let troubles = port.tls.troubles(8);
        assert_eq!((troubles.len(), troubles[0].0), (1, 5), "{troubles:?}");
        assert!(troubles[0].1.contains("stays in force") && troubles[0].1.contains(wanted), "{troubles:?}");
        assert_eq!(port.shows(&authority).await, before);
        // What was there before, and it is over.
        folder.put(&first);
        assert_eq!(port.tls.look(9), None);
        assert_eq!(port.tls.troubles(9), []);
    }
    std::fs::set_permissions(&folder.files.key, PermissionsExt::from_mode(0o644)).unwrap();
    let _ = (port.tls.look(10), port.tls.look(11));
    assert!(port.tls.troubles(11)[0].1.contains("every user of this machine (mode 644); run chmod 600"));
    std::fs::set_permissions(&folder.files.key, PermissionsExt::from_mode(0o640)).unwrap();
    let _ = port.tls.look(12);
    assert_eq!(port.tls.troubles(12), [], "a group may read it");
}

#[tokio::test]
async fn clients_of_an_authority_that_is_taken_out_are_not_resumed() {
    let (ours, next) = (Authority::new("ours"), Authority::new("next"));
    let folder = Folder::of(&ours.issue("localhost")).asking(&ours, true);
    let port = folder.serve(Settings::default()).await;
    let known = ours.issue("worker-7");
    assert!(port.get(&ours, Some(&known)).await.is_ok());
    std::fs::write(&folder.files.clients.as_ref().unwrap().ca, &next.pem).unwrap();
    let _ = port.tls.look(1);
    assert!(port.get(&ours, Some(&known)).await.is_err());
    assert!(port.get(&ours, Some(&next.issue("worker-8"))).await.unwrap().ends_with("CN=worker-8"));
}

#[tokio::test]
async fn a_certificate_near_its_end_is_told_from_14_days_before() {
    let authority = Authority::new("ours");
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2026, 12, 25);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().pem();
    let folder = Folder::of(&Pair { certificate, key: key.serialize_pem() });
    let tls = Tls::load(folder.files.clone()).unwrap();
    let end =
        chrono::DateTime::parse_from_rfc3339("2026-12-25T00:00:00Z").unwrap().timestamp_nanos_opt().unwrap();
    assert_eq!(tls.troubles(end - 14 * DAY - 1), []);
    for (before, wanted) in [
        (14 * DAY, "expires on 2026-12-25, in 14 days;"),
        (DAY, "expires on 2026-12-25, in one day;"),
        (DAY - 1, "expires on 2026-12-25, within a day;"),
        (0, "expired on 2026-12-25: clients refuse to connect"),
        (-DAY, "expired on 2026-12-25: clients refuse to connect"),
    ] {
        let troubles = tls.troubles(end - before);
        assert_eq!((troubles.len(), troubles[0].0), (1, end - 14 * DAY));
        assert!(troubles[0].1.contains(wanted), "{troubles:?}");
    }
}
