use super::{not_found, read, text};
use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::person::{Person, make};
use crate::support::server::Server;
use crate::support::{SOON, story, wait_until};

#[test]
fn an_integration_shows_its_endpoints_queue_token_and_reconciliation() {
    let home = Home::new();
    let server = home.start();
    story::fleet(&server);
    server.counted("hubspot-crm", "GET /crm/v3/objects/contacts", 300);
    let page = read(&server, "/integrations/hubspot-crm");
    for wanted in
        ["hubspot-crm", "GET /crm/v3/objects/contacts", "api.hubapi.com", "98 %", "outbox", "oauth", "orders"]
    {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
    assert!(
        server.get("/integrations/hubspot-crm").text().contains("<svg"),
        "a chart is drawn on the server"
    );
    not_found(&server, "/integrations/nobody");
}

#[test]
fn an_operator_writes_a_gap_off_with_a_reason_and_a_viewer_cannot() {
    let home = Home::new();
    let server = home.start();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(server.post("/report/shop", &form, "expected=200&reconciled=198").status, 200);
    let page = wait_until("the gap", SOON, || {
        let page = server.get("/integrations/shop").text();
        page.contains("Open windows").then_some(page)
    });
    let run = page
        .split("name=\"run\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap()
        .to_owned();
    make(&home, "ada", "operator");
    make(&home, "vic", "viewer");
    let (ada, vic) = (Person::sign_in(&server, "ada"), Person::sign_in(&server, "vic"));
    let off = |who: &Person, run: &str, reason: &str| {
        let fields =
            [("environment", "default"), ("reconciliation", "report"), ("run", run), ("reason", reason)];
        who.send(&server, "/integrations/shop", "/integrations/shop/write-off", &fields).status
    };
    assert_eq!(off(&vic, &run, "I say so"), 403);
    assert_eq!(off(&ada, "another", "two test orders"), 404);
    assert_eq!(off(&ada, &run, "  "), 400);
    assert!(text(&ada.get(&server, "/integrations/shop").text()).contains("2 records are open"));
    assert_eq!(off(&ada, &run, "two test orders"), 303);
    assert!(!text(&ada.get(&server, "/integrations/shop").text()).contains("records are open"));
    let shape = [("environment", "default"), ("message", "response"), ("endpoint", "GET /nothing")];
    let account = "/account";
    assert_eq!(ada.send(&server, account, "/integrations/shop/accept", &shape).status, 404);
}

/// Five reads of what is not there.
fn missing() -> opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest {
    let attempt = Attempt {
        peer: "api.stripe.com",
        method: "GET",
        template: "/v1/customers/{id}",
        status: 404,
        end: otlp::now(),
        duration: 1_000_000,
    };
    otlp::traces("shop", &[], (0..5).map(|_| attempt.span()).collect())
}

/// The classes of the endpoint's answers, as somebody who is signed in reads them.
fn classes(server: &Server, who: &Person) -> serde_json::Value {
    let text = who.get(server, "/api/v1/integrations/shop/endpoints").text();
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let items = answer["items"].as_array().expect("items");
    let found = items.iter().find(|one| one["endpoint"] == "GET /v1/customers/{id}");
    found.map_or(serde_json::Value::Null, |one| one["classes"].clone())
}

#[test]
fn an_operator_says_once_what_an_ambiguous_answer_means() {
    let home = Home::new();
    home.configure("[ingest]\nkeys_on_loopback = false\n");
    let mut server = home.start();
    make(&home, "vic", "viewer");
    make(&home, "ada", "operator");
    let (vic, ada) = (Person::sign_in(&server, "vic"), Person::sign_in(&server, "ada"));
    server.export("/v1/traces", &missing());
    wait_until("the calls", SOON, || (classes(&server, &ada)["ambiguous_read"] == 5).then_some(()));
    let say = |who: &Person, endpoint: &str, means: &str| {
        let fields = [
            ("environment", "default"),
            ("peer", "api.stripe.com"),
            ("endpoint", endpoint),
            ("means", means),
        ];
        who.send(&server, "/integrations/shop", "/integrations/shop/classify", &fields).status
    };
    let endpoint = "GET /v1/customers/{id}";
    assert_eq!(say(&vic, endpoint, "good"), 403);
    assert_eq!(say(&ada, "GET /nothing", "good"), 404);
    assert_eq!(say(&ada, endpoint, "perhaps"), 400);
    assert!(ada.get(&server, "/integrations/shop").text().contains("/integrations/shop/classify"));
    assert_eq!(say(&ada, endpoint, "good"), 303);
    server.export("/v1/traces", &missing());
    wait_until("good ones", SOON, || (classes(&server, &ada)["ok"] == 5).then_some(()));
    // It is kept: a restart knows it.
    server.signal("TERM");
    server.wait(SOON);
    let server = home.start();
    let kept = || (classes(&server, &ada)["ambiguous_read"] == 5).then_some(());
    wait_until("what was counted before, as it was", SOON, kept);
    server.export("/v1/traces", &missing());
    wait_until("more good ones", SOON, || (classes(&server, &ada)["ok"] == 10).then_some(()));
}
