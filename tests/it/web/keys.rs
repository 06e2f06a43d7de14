use super::text;
use crate::support::home::Home;
use crate::support::person::{Person, make};
use crate::support::{SOON, wait_until};

#[test]
fn a_key_is_made_shown_once_rotated_and_revoked() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let fields = [("name", "shop"), ("integration", "stripe-*"), ("environment", "*"), ("days", "365")];
    let page = ada.send(&server, "/keys", "/keys", &fields);
    assert_eq!(page.status, 200, "{}", page.text());
    let page = page.text();
    let at = page.find("sw_ing_").unwrap_or_else(|| panic!("no key: {}", text(&page)));
    let bearer = format!("Bearer {}", page[at..].split('<').next().unwrap_or(""));
    assert!(!ada.get(&server, "/keys").text().contains("sw_ing_"), "it is shown once");
    let report = |name: &str| {
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        server.post(&format!("/report/{name}"), &headers, "status=success").status
    };
    wait_until("the key", SOON, || (report("stripe-accounting") == 200).then_some(()));
    assert_eq!(report("hubspot"), 403, "it may send for what it names alone");

    let rotated = ada.send(&server, "/keys", "/keys/1", &[("do", "rotate")]).text();
    assert!(text(&rotated).contains("The key shop-2"), "{}", text(&rotated));
    assert_eq!(ada.send(&server, "/keys", "/keys/1", &[("do", "flag")]).status, 303);
    assert!(text(&ada.get(&server, "/keys").text()).contains("revoked, flagged until"));
    assert_eq!(report("stripe-accounting"), 200, "taken and flagged");
    assert_eq!(ada.send(&server, "/keys", "/keys/1", &[("do", "now")]).status, 303);
    wait_until("its end", SOON, || (report("stripe-accounting") == 401).then_some(()));
    assert_eq!(ada.send(&server, "/keys", "/keys/9", &[("do", "now")]).status, 404);
    let wrong = [("name", "x"), ("integration", ""), ("environment", "*"), ("days", "")];
    assert_eq!(ada.send(&server, "/keys", "/keys", &wrong).status, 422);
}
