//! TLS of the real binary: pages, senders in another language, certificates that change, and settings that are wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::certificates::Authority;
use crate::support::home::Home;
use crate::support::server::{Server, seamwatch, serve};
use crate::support::{SOON, clients, wait_until};

/// A home whose server has a certificate of `authority` on every port.
struct Secured {
    home: Home,
    authority: Authority,
    certificate: PathBuf,
    key: PathBuf,
}

/// Days that are far off.
const YEAR: u64 = 365;

impl Secured {
    fn new(more: &str) -> Secured {
        let (home, authority) = (Home::new(), Authority::new());
        let (certificate, key) = (home.path().join("chain.pem"), home.path().join("key.pem"));
        authority.issue(&certificate, &key, YEAR);
        std::fs::write(home.path().join("ca.pem"), &authority.pem).expect("a file can be written");
        home.configure(&format!("[tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n{more}"));
        Secured { home, authority, certificate, key }
    }

    fn has(&self, server: &Server, path: &str, wanted: &str) {
        let mut last = String::new();
        wait_until(wanted, SOON, || {
            last = self.authority.get(&server.web, path);
            last.contains(wanted).then_some(())
        });
    }
}

#[test]
fn pages_are_https_and_stay_so() {
    let secured = Secured::new("");
    let server = secured.home.start();
    let page = secured.authority.get(&server.web, "/");
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.contains("\r\nstrict-transport-security: max-age=31536000\r\n"), "{page}");
    let snippet = format!("OTEL_EXPORTER_OTLP_ENDPOINT=https://{}", server.otlp_http);
    assert!(page.contains(&snippet), "{page}");
    assert!(secured.authority.get(&server.web, "/system").contains("no certificate is near its end"));
    // In the clear nothing is answered.
    let clear = reqwest::blocking::get(format!("http://{}/", server.web));
    assert!(clear.is_err(), "{clear:?}");
    secured.has(&server, "/metrics", "seamwatch_connections_handshake_failed_total 1\n");
}

#[test]
fn a_port_may_stay_in_the_clear() {
    let secured = Secured::new("[tls.web]\noff = true\n");
    let server = secured.home.start();
    let page = server.get("/");
    assert_eq!((page.status, page.header("strict-transport-security")), (200, ""));
    assert!(!secured.authority.shown(&server.otlp_http).is_empty());
}

#[test]
fn python_sends_over_tls_with_a_certificate_of_its_own_and_not_without() {
    let secured = Secured::new("client_ca = \"ca.pem\"\n");
    let server = secured.home.start();
    let (certificate, key) =
        (secured.home.path().join("client.pem"), secured.home.path().join("client-key.pem"));
    secured.authority.issue(&certificate, &key, YEAR);
    for (transport, address) in [("grpc", &server.otlp_grpc), ("http", &server.otlp_http)] {
        let send = |integration: &str, shows: bool| {
            let mut command = clients::python("sdk.py");
            command.args([transport, &format!("https://{address}"), integration]);
            command.env("OTEL_EXPORTER_OTLP_CERTIFICATE", secured.home.path().join("ca.pem"));
            command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "2");
            if shows {
                command.env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate);
                command.env("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key);
            }
            clients::run(command);
        };
        send(&format!("stranger-{transport}"), false);
        send(&format!("known-{transport}"), true);
        secured.has(&server, "/api/v1/integrations", &format!("\"known-{transport}\""));
        let all = secured.authority.get(&server.web, "/api/v1/integrations");
        assert!(!all.contains("stranger-"), "{all}");
    }
    secured.has(&server, "/api/v1/system", "\"accepted\"");
}

#[test]
fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_told() {
    let secured = Secured::new("");
    let server = secured.home.start();
    let first = secured.authority.shown(&server.web);
    secured.authority.issue(&secured.certificate, &secured.key, YEAR);
    // By itself, within seconds, on every port.
    for port in [&server.web, &server.otlp_http, &server.otlp_grpc] {
        wait_until("the new certificate", SOON, || (secured.authority.shown(port) != first).then_some(()));
    }
    let second = secured.authority.shown(&server.web);
    std::fs::write(&secured.certificate, "").expect("a file can be written");
    server.signal("HUP");
    secured.has(&server, "/", "The certificate was not changed, the one before stays in force");
    secured.has(&server, "/api/v1/system", "holds no certificate in PEM");
    assert_eq!(secured.authority.shown(&server.web), second);
    assert!(secured.authority.get(&server.web, "/readyz").starts_with("HTTP/1.1 200 "));
    assert!(server.said().contains("The certificate was not changed"), "{}", server.said());
    // One that ends soon is taken up, and told.
    secured.authority.issue(&secured.certificate, &secured.key, 5);
    secured.has(&server, "/api/v1/system", "expires on");
    let mut audit = seamwatch();
    let audit = audit.arg("audit").arg("--data").arg(secured.home.data()).output().expect("it runs");
    let log = String::from_utf8_lossy(&audit.stdout).into_owned();
    // How often depends on when the files were looked at between two writes.
    for wanted in
        ["certificate.changed", "certificate.refused", "chain.pem", "Another one is in force, until "]
    {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
    assert!(log.lines().all(|line| !line.contains("certificate.") || line.contains("server")), "{log}");
}

#[test]
fn files_that_do_not_work_are_refused_with_the_line_that_names_them() {
    let secured = Secured::new("");
    let refused = |wanted: &str| {
        let mut check = seamwatch();
        check.arg("check").arg("--config").arg(secured.home.config()).current_dir(secured.home.path());
        for mut command in [check, serve(&secured.home)] {
            let output = command.output().expect("the binary can be started");
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(!output.status.success() && said.contains(wanted), "{command:?}: {wanted}: {said}");
        }
    };
    std::fs::set_permissions(&secured.key, PermissionsExt::from_mode(0o644)).expect("its mode can be set");
    refused("seamwatch.toml:3: the key key.pem can be read or changed by every user");
    std::fs::set_permissions(&secured.key, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
    let other = secured.home.path().join("other.pem");
    secured.authority.issue(&secured.certificate, &other, YEAR);
    refused("seamwatch.toml:3: the key key.pem does not belong to the certificate chain.pem.");
    std::fs::remove_file(&secured.certificate).expect("a file can be removed");
    refused("seamwatch.toml:2: chain.pem cannot be read: No such file");
    secured.authority.issue(&secured.certificate, &secured.key, YEAR);
    secured
        .home
        .configure("[tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\nclient_ca = \"key.pem\"\n");
    refused("seamwatch.toml:4: key.pem holds no certificate in PEM");
    secured.home.configure("[outgoing]\nports = [443]\nallow = [\"10.0.0.0/99\"]\n");
    refused("seamwatch.toml:3: [outgoing] allow or in_the_clear: \"10.0.0.0/99\" is no host and no network");
    secured.home.configure(
        "[oidc]\nissuer = \"https://idp.example\"\nclient_id = \"x\"\nadmin_groups = [\"a\"]\nclient_secret_file = \"none\"\n",
    );
    refused("seamwatch.toml:5: client_secret_file = none cannot be read");
}
