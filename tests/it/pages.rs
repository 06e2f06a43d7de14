//! Every page in a real browser, in both sizes and both schemes: no console error, no failed request, nothing wider
//! than the screen. The screenshots stay in `artifacts/`.

use serde_json::json;

use crate::support::home::Home;
use crate::support::{A_TICK, SOON, wait_until};
use crate::support::{clients, person, story};

#[test]
fn every_page_opens_in_a_browser_without_a_fault() {
    let home = story::quick_home();
    let server = home.start();
    story::fleet(&server);
    story::fail(&server);
    let incident = story::incident(&server, "open");
    let code = incident["code"].as_str().expect("an incident has a code");
    let mail = wait_until("a mail on the mail page", SOON, || {
        let page = server.get("/mail").text();
        let from = page.find("href=\"/mail/")? + "href=\"/mail/".len();
        page[from..].split('"').next().map(str::to_owned)
    });
    let errors = server.json(&format!("/api/v1/errors?integration={}", story::INTEGRATION));
    let fingerprint = errors["items"][0]["fingerprint"].as_str().expect("an error group");
    wait_until("the incident's evidence", A_TICK, || {
        server.get(&format!("/incidents/{code}")).text().contains("upstream pool is empty").then_some(())
    });
    let pages = [
        ("overview", "/".to_owned()),
        ("integration-failing", format!("/integrations/{}", story::INTEGRATION)),
        ("integration", "/integrations/hubspot-crm".to_owned()),
        ("incidents", "/incidents".to_owned()),
        ("incident", format!("/incidents/{code}")),
        ("errors", "/errors".to_owned()),
        ("error", format!("/errors/{fingerprint}")),
        ("runbooks", "/runbooks".to_owned()),
        ("runbook", format!("/runbooks/{}", story::RUNBOOK)),
        ("mails", "/mail".to_owned()),
        ("mail", format!("/mail/{mail}")),
        ("silences", format!("/silences?incident={code}")),
        ("system", "/system".to_owned()),
    ];
    let mut browser = clients::node("pages.mjs");
    let shots = concat!(env!("CARGO_MANIFEST_DIR"), "/artifacts");
    let order = json!({
        "base": format!("http://{}", server.web), "pages": pages, "shots": shots, "chromium": clients::chromium(),
    });
    browser.arg(order.to_string());
    let seen = clients::run(browser);
    let problems = seen["problems"].as_array().expect("a list of problems");
    assert!(problems.is_empty(), "{problems:#?}");
    let opened = seen["opened"].as_array().expect("a list of pages");
    assert_eq!(opened.len(), pages.len() * 4, "{opened:?}");
}

/// The door of a server where people may log in elsewhere too, and its first way in.
#[test]
fn the_door_opens_in_a_browser_without_a_fault() {
    let home = Home::new();
    person::make(&home, "ada", "admin");
    home.configure("[server]\npublic_url = \"https://seam.example\"\n[oidc]\nissuer = \"https://idp.example\"\nclient_id = \"x\"\nviewer_groups = [\"all\"]\n");
    let server = home.start();
    assert!(server.get("/login").text().contains("single sign-on"));
    let mut browser = clients::node("pages.mjs");
    let order = json!({
        "base": format!("http://{}", server.web), "pages": [("login-oidc", "/login?next=%2Fkeys")],
        "shots": concat!(env!("CARGO_MANIFEST_DIR"), "/artifacts"), "chromium": clients::chromium(),
    });
    browser.arg(order.to_string());
    let seen = clients::run(browser);
    assert_eq!((&seen["problems"], seen["opened"].as_array().map(Vec::len)), (&json!([]), Some(4)), "{seen}");
}

/// Signs in, makes a key, signs out: as people do it, with the cookies, headers and forms of a real browser.
#[test]
fn people_sign_in_make_keys_and_sign_out_in_a_browser() {
    let home = Home::new();
    let server = home.start();
    let (done, said) = person::users(&home, &["invite"], "");
    assert!(done, "{said}");
    let mut browser = clients::node("people.mjs");
    let order = json!({
        "base": format!("http://{}", server.web), "setup": person::link(&said), "name": "ada",
        "password": person::PASSWORD, "shots": concat!(env!("CARGO_MANIFEST_DIR"), "/artifacts"),
        "chromium": clients::chromium(),
    });
    browser.arg(order.to_string());
    let seen = clients::run(browser);
    let problems = seen["problems"].as_array().expect("a list of problems");
    assert!(problems.is_empty(), "{problems:#?}");
    let pages = ["setup", "login", "keys-made", "keys", "people", "account", "audit"];
    assert_eq!(seen["seen"], json!(pages));
}
