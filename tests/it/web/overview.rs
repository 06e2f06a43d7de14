use super::read;
use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::{SOON, story, wait_until};

#[test]
fn an_empty_overview_teaches_how_to_send() {
    let home = Home::new();
    let server = home.start();
    let page = read(&server, "/");
    assert!(
        page.contains(&format!("http://{}", server.otlp_http)),
        "the snippet has this server's address: {page}"
    );
    assert!(page.contains("/report/"), "{page}");
    assert!(page.contains("no user and no key"), "an open server says so: {page}");
}

#[test]
fn a_row_has_its_figures() {
    let home = Home::new();
    let server = home.start();
    story::fleet(&server);
    server.counted("hubspot-crm", "GET /crm/v3/objects/contacts", 300);
    let page = wait_until("a row with its figures", SOON, || {
        let page = read(&server, "/");
        ["hubspot-crm", "shopify-webhooks", "98 %", "42", "198"]
            .iter()
            .all(|word| page.contains(word))
            .then_some(page)
    });
    for unit in [" ms", " d"] {
        assert!(page.contains(unit), "no{unit} in {page}");
    }
}

#[test]
fn a_name_from_outside_is_text_and_never_markup() {
    let home = Home::new();
    let server = home.start();
    let name = "<script>alert(1)</script>\"'&";
    let attempt = Attempt {
        peer: "<b>peer</b>",
        method: "GET",
        template: "/<i>x</i>",
        status: 200,
        end: otlp::now() - otlp::SECOND,
        duration: 5_000_000,
    };
    server.export("/v1/traces", &otlp::traces(name, &[], vec![attempt.span()]));
    let html = wait_until("the row", SOON, || {
        let html = server.get("/").text();
        html.contains("alert(1)").then_some(html)
    });
    assert!(!html.contains("<script>alert"), "{html}");
    let encoded = "%3Cscript%3Ealert%281%29%3C%2Fscript%3E%22%27%26";
    let html = server.get(&format!("/integrations/{encoded}")).text();
    assert!(html.contains("alert(1)"), "the page of that name exists: {html}");
    for raw in ["<script>alert", "<b>peer", "<i>x"] {
        assert!(!html.contains(raw), "{raw} in {html}");
    }
}
