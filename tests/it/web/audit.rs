use serde_json::Value;

use super::text;
use crate::keys::tamper;
use crate::support::home::Home;
use crate::support::person::{Person, make};
use crate::support::{SOON, story, wait_until};

#[test]
fn who_did_what_is_found_and_taken_out() {
    let home = Home::new();
    make(&home, "ada", "admin");
    make(&home, "vera", "viewer");
    let server = home.start();
    assert_eq!(Person::login(&server, "vera", "a wrong guess at it").status, 401);
    let ada = Person::sign_in(&server, "ada");
    let page = text(&ada.get(&server, "/audit").text());
    assert!(page.contains("4 entries hang together") && page.contains("login.failed vera"), "{page}");
    let found = text(&ada.get(&server, "/audit?q=FAILED").text());
    assert!(found.contains("login.failed") && !found.contains("user.made"), "{found}");

    let csv = ada.send(&server, "/audit", "/audit/export", &[("format", "csv"), ("q", "")]);
    assert!(csv.header("content-disposition").contains("seamwatch-audit.csv"));
    let csv = csv.text();
    assert_eq!(csv.lines().count(), 1 + 5, "the export is in it: {csv}");
    assert!(csv.lines().last().is_some_and(|line| line.contains("audit.exported")), "{csv}");
    let json = ada.send(&server, "/audit", "/audit/export", &[("format", "json"), ("q", "login")]).json();
    let items = json["items"].as_array().map(Vec::len);
    assert_eq!(items, Some(3), "two logins, and the entry that says what was taken out: {json}");
    assert_eq!(json["items"][0]["hash"].as_str().map(str::len), Some(64), "{json}");
    assert_eq!(json["items"][0]["actor"], Value::from("-"));
    assert_eq!(ada.send(&server, "/audit", "/audit/export", &[("format", "xml"), ("q", "")]).status, 400);
}

#[test]
fn an_entry_that_was_changed_by_hand_is_told_with_its_number() {
    let home = Home::new();
    for name in ["ada", "vera", "otto"] {
        make(&home, name, "admin");
    }
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let page = text(&ada.get(&server, "/audit").text());
    assert!(page.contains("entries hang together: none was changed or taken out"), "{page}");
    // While it runs, as somebody with the disk would.
    tamper(&home);
    let page = text(&ada.get(&server, "/audit").text());
    assert!(page.contains("Entry 2 does not hang together with the one before it"), "{page}");
    assert!(!page.contains("none was changed"), "{page}");
}

#[test]
fn rules_that_are_read_again_or_refused_are_in_it() {
    let home = story::quick_home();
    make(&home, "ada", "admin");
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let log = || text(&ada.get(&server, "/audit?q=rules").text());
    let holds = |wanted: &str| {
        wait_until(wanted, SOON, || log().contains(wanted).then_some(()));
    };
    server.signal("HUP");
    holds("server rules.reloaded rules 1 rule is in force.");
    home.write_rule("broken.toml", "schema = 1\n");
    holds("rules.refused rules The old ones stay: the new set has");
}
