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
