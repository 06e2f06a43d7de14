//! The corpus of secrets, sent in every place that OTLP has: afterwards none is found anywhere, and all that only looks
//! like one is still there.

mod corpus;
mod places;
pub mod search;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use crate::support::server::{Server, seamwatch};
use crate::support::{A_TICK, SOON, story, wait_until};
use corpus::{Case, cases};
use places::NAME;
use search::Haystack;

/// Cases of each shape in each encoding.
const EACH: usize = 6;

fn canaries(cases: &[Case], secret: bool) -> Vec<&String> {
    cases.iter().filter(|case| case.secret == secret).flat_map(|case| &case.canaries).collect()
}

/// What pages, the API and the server's own words say.
fn said(server: &Server) -> Haystack {
    let mut hay = Haystack::default();
    for path in [
        "/",
        "/incidents",
        "/errors",
        "/mail",
        "/system",
        "/metrics",
        "/api/v1/integrations",
        "/api/v1/incidents",
        "/api/v1/system",
        &format!("/integrations/{NAME}"),
        &format!("/api/v1/integrations/{NAME}/endpoints"),
        &format!("/api/v1/integrations/{NAME}/metrics"),
        &format!("/api/v1/traces?integration={NAME}&limit=500"),
        &format!("/api/v1/logs?integration={NAME}&limit=500"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        hay.add(path, answer.body);
    }
    // Payloads and spans that are kept whole are compressed on disk: here they are as they are read.
    let (mut pinned, mut kept) = (Haystack::default(), 0);
    let groups = server.json(&format!("/api/v1/errors?integration={NAME}&limit=1000"));
    // A few of hundreds: all of them are searched for every canary, byte by byte.
    for group in groups["items"].as_array().expect("a list").iter().step_by(12) {
        let fingerprint = group["fingerprint"].as_str().expect("a fingerprint");
        kept += group["exemplar_count"].as_u64().expect("a count");
        for path in [format!("/errors/{fingerprint}"), format!("/api/v1/errors/{fingerprint}")] {
            let body = server.get(&path).body;
            pinned.add(&path, body.clone());
            hay.add(&path, body);
        }
    }
    if kept > 0 {
        assert!(pinned.contains("[redacted]"), "what is kept whole had secrets in it");
    }
    for incident in server.json("/api/v1/incidents")["items"].as_array().expect("a list") {
        let id = incident["id"].as_str().expect("an id");
        for path in [format!("/incidents/{id}"), format!("/api/v1/incidents/{id}/evidence")] {
            hay.add(&path, server.get(&path).body);
        }
    }
    hay.add("the server's log", server.said().into_bytes());
    hay
}

#[test]
fn no_secret_is_kept_shown_mailed_or_logged_and_nothing_else_is_lost() {
    let (protobuf, json) = (cases(1, EACH), cases(2, EACH));
    let reports = cases(3, 1);
    let all: Vec<Case> = [&protobuf[..], &json[..], &reports[..]].concat();
    let (secrets, others) = (canaries(&all, true), canaries(&all, false));
    assert!(secrets.len() >= 500 && others.len() >= 100, "{} and {}", secrets.len(), others.len());

    let home = story::quick_home();
    let mut server = home.start();
    let inbox = home.data().join("inbox");
    places::send_protobuf(&server, &protobuf);
    places::send_json(&server, &json);
    places::send_reports(&server, &reports);
    places::send_failing_endpoint(&server, &protobuf);

    // The inbox holds requests as they came, for its owner only. That the search finds them there shows that it can.
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(
        (mode(home.data()), mode(&inbox), mode(&home.data().join("redaction.key"))),
        (0o700, 0o700, 0o600)
    );
    let files: Vec<_> =
        std::fs::read_dir(&inbox).expect("an inbox").flatten().map(|entry| entry.path()).collect();
    assert!(files.iter().any(|path| path.extension().is_some_and(|end| end == "inbox")), "{files:?}");
    files.iter().filter(|path| path.is_file()).for_each(|path| assert_eq!(mode(path), 0o600, "{path:?}"));
    let verbatim = Haystack::of_folder(&inbox);
    let found = verbatim.found(&secrets);
    assert!(found.len() > secrets.len() / 2, "the inbox is verbatim: {} of {}", found.len(), secrets.len());

    let system = wait_until("everything counted", SOON, || {
        let system = server.json("/api/v1/system");
        (system["accepted"]["spans"].as_u64()? > 100 && system["lag_ms"].is_u64()).then_some(system)
    });
    let kinds: BTreeSet<&str> =
        all.iter().filter(|case| case.secret).map(|case| case.kind.as_str()).collect();
    for kind in kinds {
        assert!(system["redacted"][kind].as_u64() > Some(10), "{kind}: {}", system["redacted"]);
    }
    assert_eq!(system["redacted"]["phone"], 0, "looked for only when asked");
    said(&server).holds_none(&secrets);
    let groups = wait_until("error groups", SOON, || {
        let groups = server.json(&format!("/api/v1/errors?integration={NAME}&limit=1000"))["items"].clone();
        groups.as_array().filter(|groups| groups.len() > 20).cloned()
    });
    let kept: u64 = groups.iter().filter_map(|group| group["exemplar_count"].as_u64()).sum();
    assert!(kept > 100, "{kept} failures are kept whole");
    said(&server).holds_none(&secrets);

    // A mail about an endpoint whose very name holds a secret.
    let mails = home.data().join("mail");
    let mail = wait_until("a mail", A_TICK, || {
        let hay = Haystack::of_folder(&mails);
        (!hay.is_empty()).then_some(hay)
    });
    assert!(mail.contains("[redacted]"), "the mail names the endpoint");
    mail.holds_none(&secrets);
    wait_until("the incident's evidence", A_TICK, || {
        // That of reports has no call to show.
        let incidents = server.json("/api/v1/incidents");
        let has_calls = |incident: &serde_json::Value| {
            let id = incident["id"].as_str().expect("an id");
            let evidence = server.json(&format!("/api/v1/incidents/{id}/evidence"));
            evidence["items"].as_array().is_some_and(|items| items.len() > 1)
        };
        incidents["items"].as_array()?.iter().any(has_calls).then_some(())
    });
    said(&server).holds_none(&secrets);

    // A file of the inbox is closed after a minute, and gone once the catalog holds what is in it.
    wait_until("an inbox without them", A_TICK, || {
        Haystack::of_folder(&inbox).found(&secrets).is_empty().then_some(())
    });

    server.signal("TERM");
    assert!(server.wait(SOON).success());
    let said = server.said();
    assert!(secrets.iter().all(|secret| !said.contains(secret.as_str())), "the server's log: {said}");
    let kept = Haystack::of_folder(home.data());
    kept.holds_none(&secrets);
    let lost: Vec<_> = others.iter().filter(|other| !kept.contains(other)).collect();
    assert!(lost.is_empty(), "taken out though no secrets: {lost:?}");
}

#[test]
fn one_address_has_one_mark_in_all_its_events_and_after_a_restart() {
    let home = story::quick_home();
    let marks = |server: &Server| {
        places::send_log(server, "order of ana@example.com failed");
        let logs = wait_until("the log", SOON, || {
            let logs = server.json(&format!("/api/v1/logs?integration={NAME}&limit=500"));
            (!logs["items"].as_array()?.is_empty()).then(|| logs.to_string())
        });
        let marks: Vec<String> =
            logs.match_indices("[email ").map(|(at, _)| logs[at..at + 18].to_owned()).collect();
        assert!(!marks.is_empty() && marks.iter().all(|mark| *mark == marks[0]), "{logs}");
        marks[0].clone()
    };
    let mut server = home.start();
    let first = marks(&server);
    server.signal("TERM");
    assert!(server.wait(SOON).success());
    let server = home.start();
    assert_eq!(marks(&server), first);
    let other = story::quick_home();
    assert_ne!(marks(&other.start()), first, "another server's marks do not join with ours");
}

#[test]
fn a_sample_is_shown_as_it_would_be_kept() {
    use std::io::Write;
    let home = story::quick_home();
    home.configure("[redaction]\npatterns = ['CUST-(\\d+)']\non = [\"phone\"]\n");
    let run = |sample: &str| {
        let mut command = seamwatch();
        command.args(["redact-test", "-", "--config"]).arg(home.config()).arg("--data").arg(home.data());
        let piped = std::process::Stdio::piped;
        let mut child = command
            .stdin(piped())
            .stdout(piped())
            .stderr(piped())
            .spawn()
            .expect("the binary can be started");
        child.stdin.take().expect("stdin is a pipe").write_all(sample.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        (String::from_utf8(output.stdout).expect("text"), String::from_utf8(output.stderr).expect("text"))
    };
    let (clean, found) = run("a\ncall +49 151 12345678, CUST-77, password=hunter2");
    assert_eq!(clean, "a\ncall [redacted], CUST-[redacted], password=[redacted]\n");
    for line in [
        "line 2, column 6: phone, 16 bytes",
        "line 2, column 29: pattern, 2 bytes",
        "line 2, column 42: key, 7 bytes",
    ] {
        assert!(found.lines().any(|said| said == line), "no {line} in {found}");
    }
    assert!(!found.contains("hunter2"));
    let (clean, found) = run(r#"{"attributes":[{"key":"x.token","value":{"stringValue":"abc"}}]}"#);
    assert!(
        clean.contains(r#""stringValue": "[redacted]""#) && found.contains("$.attributes[0] (x.token): key")
    );
    assert!(run("nothing").1.contains("Nothing would be taken out."));
}
