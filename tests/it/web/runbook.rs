use super::{not_found, read};
use crate::support::story;

#[test]
fn a_runbook_is_rendered_and_a_name_never_becomes_a_path() {
    let home = story::quick_home();
    home.write_rule(
        "runbooks/success-rate-low.md",
        &format!("{}\n<script>alert(1)</script>\n[bad](javascript:alert(1))\n", story::QUICK_RUNBOOK),
    );
    let server = home.start();
    let page = read(&server, &format!("/runbooks/{}", story::RUNBOOK));
    assert!(page.contains("Open the endpoint on the integration's page"), "{page}");
    let html = server.get(&format!("/runbooks/{}", story::RUNBOOK)).text();
    assert!(html.contains("<h2") && html.contains("<ol"), "Markdown is rendered");
    assert!(!html.contains("<script>alert") && !html.contains("javascript:"), "{html}");
    assert!(read(&server, "/runbooks").contains(story::RUNBOOK));
    for name in ["nothing", "..%2Fsuccess-rate-low", "..%2F..%2Fseamwatch", "%2Fetc%2Fpasswd"] {
        not_found(&server, &format!("/runbooks/{name}"));
    }
}
