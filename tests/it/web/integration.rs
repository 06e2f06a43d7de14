use super::{not_found, read, text};
use crate::support::home::Home;
use crate::support::person::{Person, make};
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
