use super::not_found;
use crate::support::home::Home;
use crate::support::person::{PASSWORD, Person, link, make, send, users};

const NEW: &str = "other plain words there";

#[test]
fn a_link_acts_on_post_and_once() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let (done, said) = users(&home, &["password", "ada", "--link"], "");
    assert!(done, "{said}");
    let path = link(&said);
    for _ in 0..3 {
        let page = server.get(&path);
        assert_eq!(page.status, 200);
        assert!(page.text().contains("<b>ada</b>"), "it says for whom: {}", page.text());
    }
    assert_eq!(ada.get(&server, "/").status, 200, "opening it changed nothing");
    let weak = send(&server, &path, "", &[("password", "too short")]);
    assert_eq!(weak.status, 422, "{}", weak.text());
    let done = send(&server, &path, "", &[("password", NEW)]);
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(Person::of(&done).get(&server, "/").status, 200);
    assert_eq!(ada.get(&server, "/").status, 303, "all other sessions ended");
    not_found(&server, &path);
    assert_eq!(send(&server, &path, "", &[("password", PASSWORD)]).status, 404);
    assert_eq!(Person::login(&server, "ada", NEW).status, 303);
    let admin = Person::of(&Person::login(&server, "ada", NEW));
    assert!(admin.get(&server, "/audit").text().contains("By a link."), "its use is in the log");
}

#[test]
fn a_link_that_was_changed_opens_nothing() {
    let home = Home::new();
    make(&home, "ada", "admin");
    make(&home, "bob", "viewer");
    let server = home.start();
    let path = link(&users(&home, &["password", "bob", "--link"], "").1);
    // From the second user to the first.
    let other = path.replacen("/a/p.2.", "/a/p.1.", 1);
    assert_ne!(path, other);
    not_found(&server, &other);
    not_found(&server, "/a/x");
    let (done, said) = users(&home, &["disable", "bob"], "");
    assert!(done, "{said}");
    not_found(&server, &path);
}
