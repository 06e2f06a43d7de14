use super::{not_found, read};
use crate::support::{SOON, story, wait_until};

#[test]
fn without_a_relay_mails_are_files_and_the_page_says_so() {
    let home = story::quick_home();
    let server = home.start();
    story::fail(&server);
    story::incident(&server, "open");
    let html = wait_until("the mail is written", SOON, || {
        let html = server.get("/mail").text();
        html.contains(story::ENDPOINT).then_some(html)
    });
    let page = read(&server, "/mail");
    assert!(page.contains(".eml"), "the page says where mails go: {page}");
    let from = html.find("href=\"/mail/").expect("a link to the mail") + "href=\"".len();
    let path = html[from..].split('"').next().expect("a quoted address");
    let mail = read(&server, path);
    for wanted in ["60 %", "95 %", story::ENDPOINT, "on-call@localhost"] {
        assert!(mail.contains(wanted), "no {wanted} in {mail}");
    }
    // The HTML part stands in a frame that may do nothing, under a policy of its own.
    let frame = server.get(path).text();
    assert!(frame.contains("sandbox"), "the frame is sandboxed");
    let part = server.get(&format!("{path}/html"));
    assert!(
        part.header("content-security-policy").contains("sandbox"),
        "{}",
        part.header("content-security-policy")
    );

    let written = wait_until("an .eml file", SOON, || {
        let mut open = vec![home.data().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).ok()?.flatten() {
                match entry.path() {
                    path if path.is_dir() => open.push(path),
                    path if path.extension().is_some_and(|end| end == "eml") => {
                        return std::fs::read(path).ok();
                    }
                    _ => {}
                }
            }
        }
        None
    });
    let parsed = mail_parser::MessageParser::default().parse(&written).expect("a mail reader can parse it");
    assert!(parsed.subject().is_some_and(|subject| !subject.is_empty()));
    not_found(&server, "/mail/nothing");
}
