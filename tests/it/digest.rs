//! The digest: once for each recipient and day, however often the server starts.

use std::path::Path;

use mail_parser::MessageParser;

use crate::support::home::Home;
use crate::support::otlp;
use crate::support::server::Server;
use crate::support::{A_TICK, story, wait_until};

/// The digests that were written as files.
fn digests(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.contains("-digest-") && name.ends_with(".eml")
    });
    named.filter_map(|entry| std::fs::read(entry.path()).ok()).collect()
}

/// A digest that was due a minute ago.
fn configured() -> Home {
    let home = story::quick_home();
    let minute = (otlp::now() / otlp::MINUTE + 1439) % 1440;
    home.configure(&format!(
        "[[digest]]\nto = [\"ana@example.com\", \"bo@example.com\"]\nat = \"{:02}:{:02}\"\n",
        minute / 60,
        minute % 60
    ));
    home
}

#[test]
fn a_digest_is_sent_once_to_each_through_a_crash_and_a_restart() {
    let home = configured();
    let folder = home.data().join("mail");
    let server: Server = home.start();
    wait_until("both digests", A_TICK, || (digests(&folder).len() >= 2).then_some(()));
    let found = digests(&folder);
    let mut to: Vec<String> = Vec::new();
    for bytes in &found {
        let mail = MessageParser::default().parse(bytes).expect("a mail reader can parse it");
        to.extend(mail.to().and_then(|to| to.first()?.address().map(str::to_owned)));
        let text = mail.body_text(0).expect("a text part");
        assert!(text.contains("No integration has sent anything yet"), "{text}");
    }
    to.sort();
    assert_eq!(to, ["ana@example.com", "bo@example.com"]);
    server.signal("KILL");
    drop(server);
    let server = home.start();
    story::fleet(&server);
    story::fail(&server);
    // An alert's mail comes by the same loop: by then a second digest would have come too.
    story::incident(&server, "open");
    wait_until("the alert's mail", A_TICK, || {
        let entries = std::fs::read_dir(&folder).ok()?.flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("-fired-")).then_some(())
    });
    assert_eq!(digests(&folder).len(), 2);
}
