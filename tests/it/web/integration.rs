use super::{not_found, read};
use crate::support::home::Home;
use crate::support::story;

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
