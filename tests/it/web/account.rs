use std::io::Read;
use std::time::Duration;

use super::text;
use crate::support::home::Home;
use crate::support::person::{PASSWORD, Person, make, users};
use crate::support::{SOON, wait_until};

const NEW: &str = "other plain words there";

#[test]
fn cve_2023_44400_49804_a_new_password_ends_other_sessions_and_open_streams() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let (here, there) = (Person::sign_in(&server, "ada"), Person::sign_in(&server, "ada"));
    let stream = reqwest::blocking::Client::builder().timeout(None).build().expect("a client can be made");
    let open = || stream.get(format!("http://{}/live", server.web)).header("cookie", &there.cookie).send();
    let mut live = open().expect("the stream opens");
    assert_eq!(live.status(), 200);
    let ended = std::thread::spawn(move || {
        let mut rest = Vec::new();
        live.read_to_end(&mut rest).map(drop)
    });
    std::thread::sleep(Duration::from_millis(300));
    assert!(!ended.is_finished(), "a stream lasts");
    let fields = [("current", PASSWORD), ("password", NEW)];
    let answer = here.send(&server, "/account", "/account/password", &fields);
    assert_eq!((answer.status, answer.header("location")), (303, "/account"), "{}", answer.text());
    assert_eq!(Person::of(&answer).get(&server, "/account").status, 200);
    wait_until("the end of the stream", SOON, || ended.is_finished().then_some(()));
    for old in [&here, &there] {
        assert_eq!(old.get(&server, "/").header("location"), "/login");
    }
    assert_eq!(open().expect("there is an answer").status(), 401);
}

#[test]
fn another_process_shuts_out_within_a_moment() {
    let home = Home::new();
    make(&home, "ada", "admin");
    make(&home, "vera", "viewer");
    let server = home.start();
    let vera = Person::sign_in(&server, "vera");
    assert_eq!(vera.get(&server, "/people").status, 403);
    assert!(users(&home, &["role", "vera", "operator"], "").0);
    assert_eq!(vera.get(&server, "/").status, 303, "another role is another session");
    let vera = Person::sign_in(&server, "vera");
    assert!(users(&home, &["disable", "vera"], "").0);
    assert_eq!(vera.get(&server, "/").status, 303);
    assert_eq!(Person::login(&server, "vera", PASSWORD).status, 401);
}

#[test]
fn a_token_opens_the_api_until_it_is_revoked() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let fields = [("name", "nightly report"), ("role", "viewer"), ("days", "30")];
    let page = ada.send(&server, "/account", "/account/tokens", &fields).text();
    let at = page.find("sw_api_").unwrap_or_else(|| panic!("no token: {}", text(&page)));
    let token = format!("Bearer {}", page[at..].split('<').next().unwrap_or(""));
    let ask = |path: &str| server.ask("GET", path, &[("authorization", &token)], String::new()).status;
    assert_eq!(ask("/api/v1/integrations"), 200);
    assert_eq!(ask("/metrics"), 200);
    assert_eq!(ask("/people"), 403, "it opens no page, and is a viewer's");
    assert!(!ada.get(&server, "/account").text().contains("sw_api_"), "it is shown once");
    let used = wait_until("its last use", SOON, || {
        let page = text(&ada.get(&server, "/account").text());
        (!page.contains("never")).then_some(page)
    });
    assert!(used.contains("nightly report"), "{used}");
    let revoked = ada.send(&server, "/account", "/account/tokens/revoke", &[("id", "1")]);
    assert_eq!(revoked.status, 303);
    assert_eq!(ask("/api/v1/integrations"), 401);
    assert_eq!(ada.send(&server, "/account", "/account/tokens/revoke", &[("id", "1")]).status, 404);
}

#[test]
fn another_password_ends_what_opens_the_api() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let page =
        ada.send(&server, "/account", "/account/tokens", &[("name", "t"), ("role", "admin"), ("days", "30")]);
    let page = page.text();
    let at = page.find("sw_api_").unwrap_or_else(|| panic!("no token: {}", text(&page)));
    let token = format!("Bearer {}", page[at..].split('<').next().unwrap_or(""));
    let ask =
        || server.ask("GET", "/api/v1/integrations", &[("authorization", &token)], String::new()).status;
    assert_eq!(ask(), 200);
    let fields = [("current", PASSWORD), ("password", NEW)];
    let answer = ada.send(&server, "/account", "/account/password", &fields);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(ask(), 401);
    let log = text(&Person::of(&answer).get(&server, "/audit?q=user.password").text());
    assert!(log.contains("An API token has ended.") && !log.contains("By a link"), "{log}");
}

#[test]
fn signing_out_everywhere_ends_all() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let (here, there) = (Person::sign_in(&server, "ada"), Person::sign_in(&server, "ada"));
    let page = text(&here.get(&server, "/account").text());
    assert_eq!(page.matches("A program without a name").count(), 2, "{page}");
    assert_eq!(here.send(&server, "/account", "/account/sessions/end", &[]).status, 303);
    for person in [here, there] {
        assert_eq!(person.get(&server, "/").status, 303);
    }
}
