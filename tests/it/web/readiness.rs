use serde_json::Value;

use super::{not_found, read};
use crate::support::otlp::{self, Attempt};
use crate::support::server::Server;
use crate::support::{SOON, story, wait_until};

fn verdict(server: &Server, title: &str) -> String {
    let answer = server.json(&format!("/api/v1/integrations/{}/readiness", story::INTEGRATION));
    let lines = answer["checklist"].as_array().expect("a checklist").clone();
    let is_it = |line: &&Value| line["title"].as_str().is_some_and(|text| text.contains(title));
    let line = lines.iter().find(is_it).unwrap_or_else(|| panic!("no line of {title}: {lines:?}"));
    line["verdict"].as_str().expect("a verdict").to_owned()
}

#[test]
fn the_checklist_is_judged_from_telemetry_and_says_what_to_send() {
    let home = story::quick_home();
    let server = home.start();
    let now = otlp::now();
    let write = Attempt {
        peer: "api.stripe.com",
        method: "POST",
        template: "/v1/invoices",
        status: 200,
        end: now,
        duration: 1_000_000,
    };
    let spans = (0..20).map(|_| write.span()).collect();
    server.export("/v1/traces", &otlp::traces(story::INTEGRATION, &[], spans));
    wait_until("the writes to be counted", SOON, || {
        (verdict(&server, "idempotency") == "missing").then_some(())
    });
    assert_eq!(verdict(&server, "Somebody owns it"), "missing");
    assert_eq!(verdict(&server, "Verifies webhooks"), "not_needed");
    let spans = (0..4000).map(|n| {
        let mut span = write.span();
        span.attributes.push(otlp::attribute("integration.idempotency.key_hash", &format!("k{n}")));
        span
    });
    let owner = [("integration.owner.name", "revenue-systems")];
    server.export("/v1/traces", &otlp::traces(story::INTEGRATION, &owner, spans.collect()));
    wait_until("the keys to be seen", SOON, || (verdict(&server, "idempotency") == "met").then_some(()));
    assert_eq!(verdict(&server, "Somebody owns it"), "met");

    let page = read(&server, &format!("/integrations/{}/readiness", story::INTEGRATION));
    for wanted in ["Readiness", "Writes with idempotency keys", "revenue-systems", "Queue depth", "No rule"] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(page.contains("success-rate-low"), "the rule that judges the success rate: {page}");
    let linked = server.get(&format!("/integrations/{}", story::INTEGRATION)).text();
    assert!(linked.contains("/readiness"), "the integration's page leads there");
    not_found(&server, "/integrations/nobody/readiness");
    assert_eq!(server.get("/api/v1/integrations/nobody/readiness").status, 404);
}
