//! What was done to comparable servers, and is not done to this one: a test for each case that no test beside its own
//! code is named after.

use serde_json::json;

use crate::support::SOON;
use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::person::{Person, make, send};
use crate::support::server::{Answer, Server};
use crate::support::{story, wait_until};

const EVIL: &str = "evil.example";

fn attempt<'a>(peer: &'a str, template: &'a str) -> Attempt<'a> {
    Attempt { peer, method: "GET", template, status: 500, end: otlp::now(), duration: 5_000_000 }
}

/// The page of an integration, once it shows a text.
fn page_with(server: &Server, integration: &str, text: &str) -> String {
    wait_until(&format!("{text} on the page"), SOON, || {
        let page = server.get(&format!("/integrations/{integration}"));
        let html = page.text();
        (page.status == 200 && html.contains(text)).then_some(html)
    })
}

fn leads_elsewhere(answer: &Answer) -> bool {
    let to = answer.header("location");
    to.contains(EVIL) || to.starts_with("//") || to.starts_with("/\\") || to.contains("://")
}

/// Grafana: span attributes and stack traces as markup, twice in the same view. The trace view is an API here; what a
/// browser may take for markup is no JSON.
#[test]
fn cve_2023_0594_and_cve_2025_41117_a_trace_is_data() {
    let home = Home::new();
    let server = home.start();
    let mut span = attempt("api.example.com", "/v1/things").span();
    span.attributes.push(otlp::attribute("exception.stacktrace", "<img src=x onerror=alert(1)>"));
    let id: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    server.export("/v1/traces", &otlp::traces("traced", &[], vec![span]));
    let answer = wait_until("the trace", SOON, || {
        let answer = server.get(&format!("/api/v1/traces/{id}"));
        answer.text().contains("onerror").then_some(answer)
    });
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("content-security-policy").contains("default-src 'none'"));
}

/// Grafana: a path that leads out of the plugins' folder.
#[test]
fn cve_2021_43798_no_path_leads_to_a_file() {
    let home = Home::new();
    let server = home.start();
    for path in [
        "/public/plugins/alertlist/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/0/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/runbooks/..%2f..%2fseamwatch.toml",
        "/runbooks/..%2f..%2fdata%2fcatalog.db",
        "/mail/..%2f..%2fcatalog.db/html",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains("root:") && !answer.text().contains("SQLite"), "{path}");
    }
}

/// Grafana: a path of the client's and an open redirect made one script out of two small faults.
#[test]
fn cve_2025_4123_and_cve_2025_6023_no_answer_leads_to_another_host() {
    let home = Home::new();
    make(&home, "ada", "viewer");
    let server = home.start();
    for path in [
        "//evil.example/",
        "/%2f%2fevil.example",
        "/\\evil.example",
        "/%5cevil.example/..%2f",
        "/static/..%2f%2fevil.example",
    ] {
        let answer = server.get(path);
        assert!(!leads_elsewhere(&answer), "{path} leads to {}", answer.header("location"));
    }
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
    ] {
        let fields = [("name", "ada"), ("password", crate::support::person::PASSWORD), ("next", next)];
        let answer = send(&server, "/login", "", &fields);
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert!(!leads_elsewhere(&answer), "{next} leads to {}", answer.header("location"));
    }
}

/// Grafana: a token in the address ended in logs and at data sources.
#[test]
fn cve_2023_1387_a_token_in_the_address_opens_nothing() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let session =
        ada.cookie.split_once('=').map(|(_, value)| value.to_owned()).expect("a cookie has a value");
    assert_eq!(ada.get(&server, "/api/v1/system").status, 200);
    for name in ["token", "auth_token", "access_token", "api_key", "session", "__Host-seamwatch"] {
        let answer = server.get(&format!("/api/v1/system?{name}={session}"));
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
    }
}

/// Grafana: a link "to the original" that its sender chose.
#[test]
fn cve_2022_39324_no_link_is_the_senders() {
    let home = Home::new();
    let server = home.start();
    let resource = [
        ("integration.runbook.url", "https://evil.example/runbook"),
        ("integration.owner.name", "https://evil.example/owner"),
        ("service.url", "https://evil.example/"),
    ];
    let spans = vec![attempt("evil.example", "https://evil.example/v1").span()];
    server.export("/v1/traces", &otlp::traces("linked", &resource, spans));
    let html = page_with(&server, "linked", EVIL);
    for part in html.split(['<', '>']).filter(|part| part.contains("href=") || part.contains("src=")) {
        assert!(!part.contains("//evil.example"), "a link of theirs: {part}");
    }
}

/// Alertmanager: an alert that anybody could post, with markup in it; and CORS for all.
#[test]
fn cve_2023_40577_nobody_posts_an_alert_and_no_origin_is_let_in() {
    let home = Home::new();
    let server = home.start();
    let alert = json!([{"labels": {"alertname": "<script>alert(1)</script>"}}]).to_string();
    for path in ["/api/v1/alerts", "/api/v2/alerts", "/api/v1/incidents"] {
        let headers = [("content-type", "application/json"), ("origin", "https://evil.example")];
        let answer = server.ask("POST", path, &headers, alert.clone());
        assert!([403, 404, 405].contains(&answer.status), "{path}: {}", answer.status);
    }
    for method in ["GET", "OPTIONS"] {
        let headers = [("origin", "https://evil.example"), ("access-control-request-method", "GET")];
        let answer = server.ask(method, "/api/v1/integrations", &headers, String::new());
        assert_eq!(answer.header("access-control-allow-origin"), "", "{method}");
    }
}

/// Uptime Kuma: too powerful templates, which read files and ran code. What telemetry writes is never a template.
#[test]
fn ghsa_vffh_c9pq_4crh_and_ghsa_gf2q_c269_pqgc_a_name_is_no_template() {
    let home = Home::new();
    let server = home.start();
    let names =
        ["{{ 7 * 191 }}", "{% include '/etc/passwd' %}", "${7*191}", "<%= 7*191 %>", "#{7*191}", "{{self}}"];
    let spans = names.map(|name| attempt("api.example.com", name).span());
    server.export("/v1/traces", &otlp::traces("templated", &[], spans.into()));
    let html = page_with(&server, "templated", "7 * 191");
    assert!(!html.contains("1337") && !html.contains("root:x"), "{html}");
}

/// Uptime Kuma: plugins from anywhere. There are none, and nothing takes one.
#[test]
fn ghsa_7grx_f945_mj96_nothing_takes_code() {
    let home = Home::new();
    let server = home.start();
    for path in ["/plugins", "/api/plugins", "/api/v1/plugins", "/upload", "/api/v1/rules", "/static/0/x.js"]
    {
        let headers = [("content-type", "application/octet-stream")];
        let answer = server.ask("POST", path, &headers, "module.exports = 1".into());
        assert!([403, 404, 405].contains(&answer.status), "{path}: {}", answer.status);
    }
}

/// SigNoz #11747 and OneUptime CVE-2026-32306: a parameter became part of a statement.
#[test]
fn signoz_11747_and_cve_2026_32306_a_parameter_is_never_part_of_a_statement() {
    let home = Home::new();
    let server = home.start();
    server.export("/v1/traces", &otlp::traces("kept", &[], vec![attempt("api.example.com", "/v1/x").span()]));
    server.counted("kept", "GET /v1/x", 1);
    let injections = [
        "%27%20OR%201=1--",
        "%27%20UNION%20SELECT%20hash,1,1%20FROM%20users--",
        "%27);DROP%20TABLE%20packs;--",
        "%25%27%20OR%20%271%27=%271",
    ];
    for value in injections {
        for before in ["/api/v1/traces?integration=", "/api/v1/logs?q=", "/api/v1/integrations?environment="]
        {
            let answer = server.get(&format!("{before}{value}"));
            assert_eq!(answer.status, 200, "{before}{value}: {}", answer.text());
            assert_eq!(
                answer.json()["items"].as_array().map(Vec::len),
                Some(0),
                "{before}{value}: {}",
                answer.text()
            );
        }
        for path in [format!("/incidents/{value}"), format!("/api/v1/integrations/{value}/endpoints")] {
            assert_eq!(server.get(&path).status, 404, "{path}");
        }
        assert_eq!(server.get(&format!("/api/v1/traces/{value}")).status, 400);
    }
    server.counted("kept", "GET /v1/x", 1);
}

/// SigNoz GHSA-3vgg-7h5g-62mm and OpenObserve CVE-2024-25106: who may only look changed and deleted users.
#[test]
fn ghsa_3vgg_7h5g_62mm_and_cve_2024_25106_who_may_only_look_changes_nobody() {
    let home = Home::new();
    make(&home, "ada", "admin");
    make(&home, "vic", "viewer");
    let server = home.start();
    let vic = Person::sign_in(&server, "vic");
    for page in ["/people", "/keys", "/audit"] {
        assert_eq!(vic.get(&server, page).status, 403, "{page}");
    }
    for (path, fields) in [
        ("/people", [("name", "eve"), ("role", "admin")]),
        ("/people/1", [("action", "disable"), ("role", "viewer")]),
        ("/people/2", [("action", "role"), ("role", "admin")]),
        ("/keys", [("name", "x"), ("integration", "*")]),
    ] {
        // With the token of a form that vic may send.
        let answer = vic.send(&server, "/account", path, &fields);
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    assert_eq!(Person::sign_in(&server, "ada").get(&server, "/people").status, 200, "ada is an admin still");
    assert_eq!(vic.get(&server, "/people").status, 403);
}

/// OpenObserve CVE-2026-63645: the configuration, with its passwords, to anybody.
#[test]
fn cve_2026_63645_no_answer_holds_the_configuration() {
    let home = Home::new();
    let secret = home.path().join("smtp-password");
    std::fs::write(&secret, "relay-password-of-ours\n").expect("a file can be written");
    home.configure(&format!(
        "[smtp]\nhost = \"relay.example\"\nusername = \"relay-user-of-ours\"\npassword_file = \"{}\"\n",
        secret.display()
    ));
    let server = home.start();
    let pages = [
        "/",
        "/system",
        "/mail",
        "/metrics",
        "/api/v1/system",
        "/api/v1/openapi.json",
        "/healthz",
        "/readyz",
    ];
    for path in pages.into_iter().chain(["/config", "/api/v1/config", "/api/config", "/debug/vars", "/.env"])
    {
        let text = server.get(path).text();
        for ours in ["relay-password-of-ours", "relay-user-of-ours", "password_file"] {
            assert!(!text.contains(ours), "{path} holds {ours}");
        }
    }
    assert_eq!(server.get("/api/v1/config").status, 404);
}

/// OpenObserve #14424: the name of a stream as markup.
#[test]
fn openobserve_14424_a_name_is_text() {
    let home = Home::new();
    let server = home.start();
    let name = "<b onmouseover=alert(1)>stream</b>";
    let queue = [("integration.queue.name", name)];
    server.export(
        "/v1/metrics",
        &otlp::metrics("streams", vec![otlp::gauge("integration.queue.depth", 7.0, &queue)]),
    );
    let html = page_with(&server, "streams", "onmouseover");
    assert!(!html.contains("<b onmouseover"), "{html}");
}

/// Sigstore CVE-2026-49835: names of others as labels, without a bound.
#[test]
fn cve_2026_49835_figures_do_not_grow_with_the_names_of_others() {
    let home = story::quick_home();
    let server = home.start();
    let lines = |server: &Server| server.get("/metrics").text().lines().count();
    server
        .export("/v1/traces", &otlp::traces("first", &[], vec![attempt("api.example.com", "/v1/x").span()]));
    server.counted("first", "GET /v1/x", 1);
    let before = lines(&server);
    for n in 0..300 {
        let (name, peer) = (format!("integration-{n}"), format!("host-{n}.example"));
        server.export("/v1/traces", &otlp::traces(&name, &[], vec![attempt(&peer, "/v1/x").span()]));
    }
    server.counted("integration-299", "GET /v1/x", 1);
    assert!(lines(&server) <= before + 10, "{before} lines became {}", lines(&server));
    assert!(!server.get("/metrics").text().contains("integration-299"));
}
