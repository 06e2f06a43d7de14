use super::text;
use crate::support::person::{Person, make, send};
use crate::support::server::Server;
use crate::support::{A_TICK, story, wait_until};

/// The links of the first mail: to acknowledge, and to silence.
fn links(server: &Server) -> (String, String) {
    let path = wait_until("a mail", A_TICK, || {
        let html = server.get("/mail").text();
        let from = html.find("href=\"/mail/")? + "href=\"".len();
        html[from..].split('"').next().map(str::to_owned)
    });
    let mail = text(&server.get(&path).text());
    let after = |word: &str| {
        let from = mail.rfind(word).unwrap_or_else(|| panic!("no {word} in {mail}")) + word.len();
        let link = mail[from..].split_whitespace().next().expect("a link");
        format!("/a/mail/{}", link.split("/a/mail/").nth(1).expect("a link of a mail"))
    };
    (after(" Acknowledge "), after(" Silence "))
}

#[test]
fn a_link_in_a_mail_shows_first_acts_when_sent_and_gives_no_session() {
    let home = story::quick_home();
    let server = home.start();
    story::fail(&server);
    let code = story::incident(&server, "open")["code"].as_str().expect("a code").to_owned();
    let (acknowledge, silence) = links(&server);
    let incident = || text(&server.get(&format!("/incidents/{code}")).text());

    // A program that opens every link of a mail changes nothing.
    for link in [&acknowledge, &silence] {
        let page = server.get(link);
        assert_eq!(page.status, 200);
        assert!(text(&page.text()).contains(&code), "{}", page.text());
    }
    assert!(!incident().contains("looks at it"));

    for _ in 0..2 {
        let done = send(&server, &acknowledge, "", &[("note", "on <b>it</b>"), ("hours", "4")]);
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(done.text().contains("You acknowledged it"), "{}", done.text());
        assert_eq!(done.header("set-cookie"), "", "no session");
    }
    let page = incident();
    assert!(page.contains("on-call@localhost looks at it") && page.contains("on <b>it</b>"), "{page}");

    let short = send(&server, &silence, "", &[("reason", "x"), ("hours", "8")]);
    assert!(short.status == 422 && short.text().contains("Say why"), "{}", short.text());
    for _ in 0..2 {
        let done = send(&server, &silence, "", &[("reason", "the vendor mends it"), ("hours", "8")]);
        assert_eq!(done.status, 200, "{}", done.text());
    }
    let silences = server.json("/api/v1/silences");
    let items = silences["items"].as_array().expect("items");
    assert_eq!(items.len(), 1, "sent twice is once: {silences}");
    assert_eq!(items[0]["author"], "on-call@localhost");
    assert_eq!(items[0]["open_incidents"], 1);

    // Changed by a letter it is none, and guessing is slowed down as at the login.
    let forged = acknowledge.replace("/k.", "/s.");
    assert_eq!(server.get(&forged).status, 404);
    let answers: Vec<u16> = (0..8).map(|_| server.get(&forged).status).collect();
    assert!(answers.contains(&429), "{answers:?}");

    make(&home, "ada", "admin");
    let ada = Person::sign_in(&server, "ada");
    let audit = text(&ada.get(&server, "/audit").text());
    for wanted in ["mail link sent to on-call@localhost", "incident.acknowledged", "silence.made"] {
        assert!(audit.contains(wanted), "no {wanted} in {audit}");
    }
    assert_eq!(audit.matches("incident.acknowledged").count(), 1, "{audit}");
    // With users there it opens all the same: whoever has the mail has the link.
    assert_eq!(server.get(&silence).status, 200);
    assert_eq!(server.get("/").status, 303);
}
