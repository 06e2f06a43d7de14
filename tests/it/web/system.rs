use super::{not_found, read};
use crate::support::home::Home;
use crate::support::{SOON, story, wait_until};

#[test]
fn the_system_page_says_what_came_in_and_what_was_refused() {
    let home = Home::new();
    let server = home.start();
    story::fail(&server);
    server.post("/v1/traces", &[("content-type", "application/json")], "{");
    let page = wait_until("the figures", SOON, || {
        let page = read(&server, "/system");
        page.to_lowercase().contains("malformed").then_some(page)
    });
    assert!(page.contains("100"), "{page}");
    assert!(page.contains("The rule files are sound"), "{page}");
    not_found(&server, "/no-such-page");
}

#[test]
fn what_was_redacted_is_counted_by_kind_on_the_page_and_for_prometheus() {
    let home = Home::new();
    let server = home.start();
    let said =
        |wanted: &str| wait_until(wanted, SOON, || read(&server, "/system").contains(wanted).then_some(()));
    assert!(read(&server, "/system").contains("Redacted Secrets taken out of what was read, by kind"));
    let log = |body: &str| {
        let log = serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": body}}]}]}]});
        let answer = server.post("/v1/logs", &[("content-type", "application/json")], log.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    log("paid with 4111 1111 1111 1111 and 5500 0000 0000 0004");
    log("ada@example.com wrote");
    said("Card numbers 2");
    said("E-mail addresses 1");
    let metrics = server.get("/metrics").text();
    for wanted in [
        "seamwatch_redacted_card_total 2",
        "seamwatch_redacted_email_total 1",
        "seamwatch_redacted_iban_total 0",
    ] {
        assert!(metrics.lines().any(|line| line == wanted), "{wanted}: {metrics}");
    }
}
