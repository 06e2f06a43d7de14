use super::{not_found, read};
use crate::support::story;

#[test]
fn an_incident_is_listed_and_has_a_page_with_its_evidence() {
    let home = story::quick_home();
    let server = home.start();
    assert!(read(&server, "/incidents").contains("No incident has opened yet"));
    story::fail(&server);
    let incident = story::incident(&server, "open");
    let code = incident["code"].as_str().expect("a code");
    let list = read(&server, "/incidents");
    for wanted in [code, story::INTEGRATION, story::ENDPOINT, "60 %"] {
        assert!(list.contains(wanted), "no {wanted} in {list}");
    }
    let page = read(&server, &format!("/incidents/{code}"));
    for wanted in [code, "60 %", "95 %", "40", "100", "read which class fails"] {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
    let row = read(&server, "/");
    assert!(row.contains(story::INTEGRATION) && row.to_lowercase().contains("failing"), "{row}");
    not_found(&server, "/incidents/ZZZZ");
}
