//! `[encryption]`: what was sent lies in no file in the clear, what was acknowledged is counted once with the key and
//! left alone without it, and keys can change.

use std::path::{Path, PathBuf};

use crate::secrets::search::Haystack;
use crate::support::home::Home;
use crate::support::ledger::Ledger;
use crate::support::otlp::{self, Attempt, attribute};
use crate::support::server::{Server, seamwatch, serve};
use crate::support::{SOON, faulty, person, wait_until};

const NOTE: &str = "note-of-a-customer-7f3a";
const LINE: &str = "line-of-a-log-91bc";

fn send(server: &Server) {
    let attempt = Attempt {
        peer: "bank.example.com",
        method: "POST",
        template: "/v1/transfers",
        status: 500,
        end: otlp::now(),
        duration: 5_000_000,
    };
    let mut span = attempt.span();
    span.attributes.push(attribute("crm.note", NOTE));
    server.export("/v1/traces", &otlp::traces("books", &[], vec![span]));
    let log = serde_json::json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "integration.name", "value": {"stringValue": "books"}}]},
        "scopeLogs": [{"logRecords": [
            {"timeUnixNano": otlp::now().to_string(), "body": {"stringValue": LINE}},
        ]}],
    }]});
    let answer = server.post("/v1/logs", &[("content-type", "application/json")], log.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn evidence(server: &Server) -> String {
    ["/api/v1/traces?integration=books", "/api/v1/logs?integration=books"]
        .map(|path| server.get(path).text())
        .concat()
}

fn segments(home: &Home) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() { below(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    below(&home.data().join("segments"), &mut found);
    found
}

fn stop(mut server: Server) {
    server.signal("TERM");
    assert!(server.wait(SOON).success());
}

/// With the key, no file of the data folder holds what was sent: not the inbox while it waits, not the segments. The
/// same without the key, so that it is known that this search finds it.
#[test]
fn what_was_sent_is_in_no_file_of_the_data_folder() {
    for is_on in [false, true] {
        let home = Home::new();
        if is_on {
            home.encrypt_with(&home.key("key", 'a'), &[]);
        }
        let server = home.start();
        send(&server);
        // Acknowledged a moment ago: it is in the inbox, whose file lives for a minute.
        let inbox = Haystack::of_folder(&home.data().join("inbox"));
        assert!(!inbox.is_empty());
        assert_eq!(
            (inbox.contains(NOTE), inbox.contains(LINE)),
            (!is_on, !is_on),
            "inbox, encrypted: {is_on}"
        );
        wait_until("the rows", SOON, || {
            let shown = evidence(&server);
            (shown.contains(NOTE) && shown.contains(LINE)).then_some(())
        });
        let said = if is_on { "are encrypted with the key" } else { "are not encrypted" };
        assert!(server.get("/system").text().contains(said), "{}", server.get("/system").text());
        let logged = if is_on { "Encryption at rest is on" } else { "Encryption at rest is off" };
        assert!(server.said().contains(logged), "{}", server.said());
        stop(server);
        assert!(!segments(&home).is_empty());
        let all = Haystack::of_folder(home.data());
        assert_eq!((all.contains(NOTE), all.contains(LINE)), (!is_on, !is_on), "all, encrypted: {is_on}");
        let server = home.start();
        let shown = evidence(&server);
        assert!(shown.contains(NOTE) && shown.contains(LINE), "read from the files: {shown}");
    }
}

#[test]
fn what_was_acknowledged_waits_for_its_key_through_kills_and_is_counted_once() {
    let home = Home::new();
    let (first, second) = (home.key("first", 'b'), home.key("second", 'c'));
    home.encrypt_with(&first, &[]);
    let mut ledger = Ledger::new("books", "transfers");
    for _ in 0..3 {
        let server = home.start();
        for spans in 1..20 {
            assert_eq!(ledger.send_new(&server, spans), Some(200));
        }
        server.signal("KILL");
    }
    // Another key, and none.
    home.encrypt_with(&second, &[]);
    for without in [false, true] {
        if without {
            home.configure("");
        }
        let Err((status, said)) = Server::run(&mut serve(&home)) else {
            panic!("it started without the key")
        };
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
        for wanted in [".inbox is encrypted with the key ", "old_key_files", "acknowledged"] {
            assert!(said.contains(wanted), "{said}");
        }
    }
    // Rotated: new files by the second, what waited by the first.
    home.encrypt_with(&second, &[&first]);
    let server = home.start();
    ledger.settle(&server);
    assert_eq!(ledger.send_new(&server, 7), Some(200));
    ledger.settle(&server);
    stop(server);
    ledger.agrees(&faulty::audit(&home));
}

#[test]
fn segments_outlive_a_change_of_keys_and_one_that_is_missing_is_told() {
    let home = Home::new();
    let (first, second) = (home.key("first", 'd'), home.key("second", 'e'));
    home.encrypt_with(&first, &[]);
    let server = home.start();
    send(&server);
    stop(server);
    let old = segments(&home);

    home.encrypt_with(&second, &[&first]);
    let server = home.start();
    assert!(evidence(&server).contains(NOTE));
    send(&server);
    stop(server);
    assert!(segments(&home).len() > old.len());

    // The old key forgotten: the server runs, says what is missing on every page and which key it wants.
    home.encrypt_with(&second, &[]);
    let server = home.start();
    let page = server.get("/").text();
    assert!(page.contains("old_key_files") && page.contains("cannot be shown"), "{page}");
    let id = old[0].display().to_string();
    let id = id.trim_end_matches(".sealed").rsplit('.').next().unwrap_or_default();
    let answer = server.get("/api/v1/traces?integration=books");
    assert!(answer.status == 503 && answer.text().contains(id), "{} {}", answer.status, answer.text());
    stop(server);

    home.encrypt_with(&second, &[&first]);
    let written = seamwatch().arg("decrypt").arg(&old[0]).arg("--config").arg(home.config()).output();
    let written = written.expect("the binary can be started");
    assert!(written.status.success() && written.stdout.starts_with(b"PAR1"), "{written:?}");
    // One bit of the disk, or somebody's hand.
    let mut bytes = std::fs::read(&old[0]).expect("a segment can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&old[0], bytes).expect("a segment can be written");
    let refused = seamwatch().arg("decrypt").arg(&old[0]).arg("--config").arg(home.config()).output();
    let refused = refused.expect("the binary can be started");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && refused.stdout.is_empty() && said.contains("was changed"), "{said}");
}

#[test]
fn a_key_that_others_may_read_starts_nothing_and_check_says_so_too() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let file = home.key("key", 'f');
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    home.encrypt_with(&file, &[]);
    let wanted = format!("{}:2: key_file: {file} can be read or changed by others", home.config().display());
    let Err((_, said)) = Server::run(&mut serve(&home)) else { panic!("it started") };
    assert!(said.contains(&wanted), "{said}");
    assert!(!home.data().exists(), "nothing was made");
    let mut check = seamwatch();
    let check = check.args(["check", "--config"]).arg(home.config()).current_dir(home.path()).output();
    let check = check.expect("the binary can be started");
    assert!(String::from_utf8_lossy(&check.stdout).contains(&wanted), "{check:?}");
}

/// A backup in the wrong hands holds what links are signed with, and not the key.
#[test]
fn a_copy_of_the_catalog_makes_no_link_that_the_server_opens() {
    let home = Home::new();
    person::make(&home, "ada", "admin");
    let link = || {
        let (done, said) = person::users(&home, &["password", "ada", "--link"], "");
        assert!(done, "{said}");
        person::link(&said)
    };
    let without = link();
    home.encrypt_with(&home.key("key", '9'), &[]);
    let server = home.start();
    assert_eq!(server.get(&without).status, 404);
    let with = link();
    assert_eq!(server.get(&with).status, 200, "the command has the key");
}
