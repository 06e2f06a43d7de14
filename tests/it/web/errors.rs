use super::{not_found, read};
use crate::support::{SOON, story, wait_until};

#[test]
fn what_fails_is_listed_and_found_and_has_a_page_with_what_was_answered() {
    let home = story::quick_home();
    let server = home.start();
    assert!(read(&server, "/errors").contains("No call failed in this stretch"));
    story::fail(&server);
    let list = wait_until("an error", SOON, || {
        let list = read(&server, "/errors");
        list.contains(story::INTEGRATION).then_some(list)
    });
    for wanted in ["40 failures in one way", "503", story::ENDPOINT, "version 2.14.0"] {
        assert!(list.contains(wanted), "no {wanted} in {list}");
    }
    assert!(read(&server, "/errors?q=upstream%20POOL").contains(story::ENDPOINT));
    assert!(read(&server, "/errors?q=nothing%20says%20this").contains("No failure in this stretch says"));
    let group = server.json("/api/v1/errors");
    let path = format!("/errors/{}", group["items"][0]["fingerprint"].as_str().expect("a fingerprint"));
    let page = read(&server, &path);
    for wanted in [
        story::PAYLOAD,
        story::ENDPOINT,
        "with version 2.14.0",
        "Failures by hour",
        "http.response.status_code",
    ] {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
    let integration = read(&server, &format!("/integrations/{}", story::INTEGRATION));
    assert!(integration.contains("All errors of this integration"), "{integration}");
    assert_eq!(server.get("/errors?range=5y").status, 400);
    not_found(&server, "/errors/0f0f");
}
