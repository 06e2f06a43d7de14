//! What vendors say of their answers, through the real server: classes in the API, links on the pages, `check`.

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::support::home::Home;
use crate::support::otlp::{self, Attempt, attribute};
use crate::support::server::{Server, seamwatch, serve};

const CITE: &str = "source = \"https://docs.example.com/a\"\nread = 2026-11-25\n";

/// Refusals of a peer, each with this body.
fn refusals(peer: &str, body: &str) -> Vec<Span> {
    let end = otlp::settled_minute();
    let attempt =
        Attempt { peer, method: "GET", template: "/things", status: 403, end, duration: otlp::SECOND / 10 };
    let one = |_| {
        let mut span = attempt.span();
        span.attributes.push(attribute("integration.payload", body));
        span
    };
    (0..5).map(one).collect()
}

/// How many attempts of the integration's one endpoint ended in a class.
fn classed(server: &Server, integration: &str, class: &str) -> f64 {
    server.counted(integration, "GET /things", 5)["classes"][class].as_f64().unwrap_or(0.0)
}

#[test]
fn a_quota_that_answers_403_is_throttling_and_only_where_the_vendor_says_so() {
    let home = Home::new();
    let server = home.start();
    let body = r#"{"message": "You have exceeded a secondary rate limit."}"#;
    for (integration, peer) in [("mirror", "api.github.com"), ("other", "api.example.com")] {
        server.export("/v1/traces", &otlp::traces(integration, &[], refusals(peer, body)));
    }
    assert_eq!(classed(&server, "mirror", "throttled"), 5.0);
    assert_eq!(classed(&server, "other", "auth"), 5.0);
    let page = server.get("/integrations/mirror").text();
    for wanted in
        ["https://www.githubstatus.com/", "GitHub", "x-ratelimit-reset", "docs/blob", "read 2026-11-25"]
    {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
    assert!(!server.get("/integrations/other").text().contains("githubstatus"));
}

#[test]
fn a_folder_of_ones_own_adds_a_vendor_and_its_mistakes_stop_the_start() {
    let home = Home::new();
    let folder = home.path().join("vendors");
    std::fs::create_dir(&folder).expect("a folder can be made");
    let write = |text: &str| {
        let text = text.replace("CITE\n", CITE);
        std::fs::write(folder.join("acme.toml"), text).expect("a file can be written");
    };
    home.configure(&format!("[server]\nproviders = {:?}\n", folder.display().to_string()));
    write(
        "name = \"Acme\"\n\n[[host]]\npattern = \"*.acme.example\"\nCITE\n\n[[class]]\nstatus = [403]\n\
         codes = [\"TOO_FAST\"]\nclass = \"throttled\"\nCITE\n",
    );
    let server = home.start();
    let spans = refusals("eu.acme.example", r#"{"code": "TOO_FAST"}"#);
    server.export("/v1/traces", &otlp::traces("acme-sync", &[], spans));
    assert_eq!(classed(&server, "acme-sync", "throttled"), 5.0);
    drop(server);

    write("name = \"Acme\"\n\n[[host]]\npattern = \"api.github.com\"\nCITE\n\n[[class]]\nclass = \"auth\"\n");
    let mut check = seamwatch();
    check.arg("check").arg("--config").arg(home.config()).arg("--alerts").arg(home.alerts());
    let output = check.output().expect("the binary can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for wanted in [
        "acme.toml:8:1 source is missing",
        "acme.toml:8:1 read is missing",
        "is a host of shipped/github.toml too",
    ] {
        assert!(said.contains(wanted), "no {wanted} in\n{said}");
    }
    let (_, said) = Server::run(&mut serve(&home)).err().expect("a server with a broken file does not start");
    assert!(said.contains("acme.toml:8:1"), "{said}");
}
