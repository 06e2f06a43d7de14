//! Ingest keys, from outside: made and revoked by the command beside a running server, on both ports, through a crash.

use std::path::Path;
use std::process::{Command, Output};

use prost::Message;
use serde_json::Value;

use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::server::{Answer, Server, seamwatch};
use crate::support::{A_TICK, SOON, clients, faulty, grpc, person, wait_until};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const DAY: i64 = 86_400;

/// A command on the data folder of a home.
fn command(home: &Home, args: &[&str]) -> Output {
    let mut command = seamwatch();
    command.args(args).arg("--data").arg(home.data()).arg("--config").arg(home.config());
    command.output().expect("the binary can be started")
}

/// The server's command, with telemetry at these addresses.
fn serve_at(home: &Home, http: &str, grpc: &str) -> Command {
    let mut command = seamwatch();
    command.arg("serve").arg("--data").arg(home.data()).arg("--config").arg(home.config());
    command.args(["--web", "127.0.0.1:0", "--otlp-http", http, "--otlp-grpc", grpc]).current_dir(home.path());
    command
}

fn succeeds(home: &Home, args: &[&str]) -> String {
    let output = command(home, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

fn fails(home: &Home, args: &[&str]) -> String {
    let output = command(home, args);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    said
}

/// Makes a key and gives its secret.
fn add(home: &Home, name: &str, more: &[&str]) -> String {
    succeeds(home, &[&["keys", "add", name], more].concat())
}

/// Spans of these integrations in one body, one of each.
fn body(integrations: &[&str]) -> Vec<u8> {
    let attempt = Attempt {
        peer: "api.example.com",
        method: "GET",
        template: "/v1/things",
        status: 200,
        end: otlp::now(),
        duration: 5_000_000,
    };
    // Messages of protobuf that follow each other are one.
    integrations
        .iter()
        .flat_map(|name| otlp::traces(name, &[], vec![attempt.span()]).encode_to_vec())
        .collect()
}

fn send(server: &Server, key: Option<&str>, body: &[u8]) -> Answer {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let mut headers = vec![PROTOBUF];
    headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
    server.post("/v1/traces", &headers, body)
}

fn call(server: &Server, key: &str, body: &[u8]) -> Answer {
    let bearer = format!("Bearer {key}");
    grpc::call(&server.otlp_grpc, grpc::TRACES, &[("authorization", &bearer)], &grpc::frame(0, body))
}

/// Sends until the answer has this status; what was sent before may have met the keys as they were.
fn until(server: &Server, key: Option<&str>, status: u16) -> Answer {
    wait_until(&format!("an answer of {status}"), SOON, || {
        let answer = send(server, key, &body(&["shop"]));
        (answer.status == status).then_some(answer)
    })
}

fn stop(mut server: Server) -> String {
    server.signal("TERM");
    assert!(server.wait(SOON).success());
    server.said()
}

/// Attempts that a stopped server's data folder has, of an integration.
fn attempts(audit: &Value, integration: &str) -> Option<u64> {
    audit[format!("{integration} GET /v1/things")]["attempts"].as_u64()
}

fn status_message(answer: &Answer) -> String {
    grpc::Status::decode(&*answer.body).expect("a Status").message
}

#[test]
fn the_first_key_closes_the_door_of_a_server_that_runs() {
    let home = Home::new();
    let server = home.start();
    assert_eq!(send(&server, None, &body(&["shop"])).status, 200);
    let key = add(&home, "shop-1", &["--integration", "shop"]);
    assert!(key.starts_with("sw_ing_") && key.lines().count() == 1, "the key alone");
    let refused = until(&server, None, 401);
    assert!(status_message(&refused).contains("OTEL_EXPORTER_OTLP_HEADERS"), "{}", status_message(&refused));
    assert_eq!(until(&server, Some(&key), 200).body, b"");
    grpc::message(&call(&server, &key, &body(&["shop"])));
    let bare = grpc::call(&server.otlp_grpc, grpc::TRACES, &[], &grpc::frame(0, &body(&["shop"])));
    assert_eq!(grpc::status(&bare).code, 16);
    // It stays closed when the server starts again, and when no key is left.
    stop(server);
    succeeds(&home, &["keys", "revoke", "shop-1"]);
    let server = home.start();
    assert_eq!(send(&server, None, &body(&["shop"])).status, 401);
}

#[test]
fn a_key_of_one_writes_nothing_as_another() {
    let home = Home::new();
    let shop = add(&home, "shop-1", &["--integration", "shop*"]);
    let crm = add(&home, "crm-1", &["--integration", "crm"]);
    let server = home.start();
    let refused = send(&server, Some(&shop), &body(&["crm"]));
    assert_eq!(refused.status, 403);
    let said = status_message(&refused);
    assert!(
        said.contains("\"shop-1\"") && said.contains("crm in default") && !said.contains(&shop),
        "{said}"
    );
    let called = grpc::status(&call(&server, &shop, &body(&["crm"])));
    assert_eq!((called.code, called.details.len()), (7, 0));
    let reported = |key: &str, name: &str| {
        let bearer = format!("Bearer {key}");
        server.post(&format!("/report/{name}"), &[("authorization", &bearer)], "").status
    };
    assert_eq!((reported(&shop, "shop-eu"), reported(&shop, "crm")), (200, 403));
    assert_eq!(send(&server, Some(&crm), &body(&["crm"])).status, 200);
    assert_eq!(send(&server, Some(&shop), &body(&["shop", "shop-eu", "shop"])).status, 200);
    stop(server);
    let audit = faulty::audit(&home);
    assert_eq!(
        (attempts(&audit, "crm"), attempts(&audit, "shop"), attempts(&audit, "shop-eu")),
        (Some(1), Some(2), Some(1))
    );
}

#[test]
fn keys_change_over_with_two_at_a_time_and_what_is_revoked_is_refused() {
    let home = Home::new();
    let server = home.start();
    let scope = ["--integration", "shop", "--environment", "default", "--expires", "90d"];
    let old = add(&home, "shop-1", &scope);
    let new = add(&home, "shop-2", &scope);
    let third = fails(&home, &[&["keys", "add", "shop-3"], &scope[..]].concat());
    assert!(third.contains("2 keys are valid for integration shop"), "{third}");
    until(&server, Some(&old), 200);
    until(&server, Some(&new), 200);
    let said = command(&home, &["keys", "revoke", "shop-1"]);
    assert!(said.status.success());
    let refused = until(&server, Some(&old), 401);
    assert!(status_message(&refused).contains("\"shop-1\" was revoked at"), "{}", status_message(&refused));
    assert_eq!(grpc::status(&call(&server, &old, &body(&["shop"]))).code, 16);
    assert_eq!(send(&server, Some(&new), &body(&["shop"])).status, 200);
    until(&server, Some(&add(&home, "shop-3", &scope)), 200);
    stop(server);
    let list = succeeds(&home, &["keys", "list", "--json"]);
    let keys: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let states: Vec<&str> = keys.iter().map(|key| key["state"].as_str().expect("a state")).collect();
    assert_eq!(states, ["revoked", "good", "good"]);
    assert!(keys.iter().all(|key| key["last_used_at"].is_string() && key.get("hash").is_none()), "{list}");
    let log = succeeds(&home, &["audit"]);
    assert_eq!(log.matches("key.used_after_revocation").count(), 1, "{log}");
    assert_eq!(log.matches("ingest.refused").count(), 1, "{log}");
}

#[test]
fn what_is_revoked_may_be_taken_and_flagged_for_a_day() {
    let home = Home::new();
    let server = home.start();
    let key = add(&home, "shop-1", &["--integration", "shop"]);
    until(&server, Some(&key), 200);
    succeeds(&home, &["keys", "revoke", "1", "--flag-for"]);
    // Long enough for the server to know.
    for _ in 0..20 {
        assert_eq!(send(&server, Some(&key), &body(&["shop"])).status, 200, "it is taken all the while");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    succeeds(&home, &["keys", "revoke", "shop-1"]);
    until(&server, Some(&key), 401);
    assert!(fails(&home, &["keys", "revoke", "shop-1"]).contains("revoked already"));
    // Revoked by mistake, it is let in again for a while.
    succeeds(&home, &["keys", "revoke", "shop-1", "--flag-for", "2h"]);
    until(&server, Some(&key), 200);
    stop(server);
    let log = succeeds(&home, &["audit", "--search", "used_after_revocation"]);
    assert!(log.lines().count() == 1 && log.contains("Somebody still sends with it, for shop"), "{log}");
}

/// Revoked by mistake, or a sender that was forgotten: somebody has to know while it is still taken.
#[test]
fn a_revoked_key_that_is_still_used_is_mailed() {
    let home = Home::new();
    let key = add(&home, "shop-1", &["--integration", "shop", "--environment", "default"]);
    succeeds(&home, &["keys", "revoke", "shop-1", "--flag-for", "24h"]);
    let api = succeeds(&home, &["keys", "list"]);
    // A minute later by its clock, so that what comes cannot have been on its way.
    let server = faulty::start(&home, &["--ahead", "60"]).expect("it starts");
    wait_until("an answer", SOON, || {
        (send(&server, Some(&key), &body(&["shop"])).status == 200).then_some(())
    });
    let mails = home.data().join("mail");
    let mail = wait_until("a mail", 2 * A_TICK, || {
        std::fs::read_dir(&mails).ok()?.flatten().find_map(|entry| {
            let text = std::fs::read_to_string(entry.path()).ok()?;
            text.contains("revoked, and still used").then_some(text)
        })
    });
    assert!(mail.contains("critical") && mail.contains("shop"), "{mail}\n{api}");
    stop(server);
}

#[test]
fn records_that_a_key_may_not_send_are_told_on_every_page() {
    let home = Home::new();
    let key = add(&home, "shop-1", &["--integration", "shop"]);
    person::make(&home, "ada", "viewer");
    let server = home.start();
    let ada = person::Person::sign_in(&server, "ada");
    assert_eq!(send(&server, Some(&key), &body(&["shop"])).status, 200);
    assert!(!ada.get(&server, "/system").text().contains("somebody sends others"));
    let partly = send(&server, Some(&key), &body(&["shop", "crm", "crm"]));
    assert_eq!(partly.status, 200, "{}", partly.text());
    for page in ["/", "/system"] {
        let page = ada.get(&server, page).text();
        assert!(page.contains("is for integration shop in environment *, and somebody sends others with it: 2 records were not taken"), "{page}");
    }
}

#[test]
fn the_first_user_is_told_that_senders_need_keys_from_then_on() {
    let home = Home::new();
    for arguments in [&["invite"][..], &["add", "ada", "--role", "admin"]] {
        let (done, said) = person::users(&home, arguments, person::PASSWORD);
        assert!(
            done && said.contains("closes the door for senders too") && said.contains("seamwatch keys add"),
            "{said}"
        );
    }
    let (done, said) = person::users(&home, &["add", "vera"], person::PASSWORD);
    assert!(done && !said.contains("closes the door"), "{said}");
}

#[test]
fn a_key_ends_when_it_says() {
    let home = Home::new();
    let key = add(&home, "shop-1", &["--integration", "shop", "--environment", "default", "--expires", "3d"]);
    let server = home.start();
    assert_eq!(send(&server, Some(&key), &body(&["shop"])).status, 200);
    stop(server);
    let ahead = (4 * DAY).to_string();
    let server = faulty::start(&home, &["--ahead", &ahead]).expect("it starts");
    let refused = send(&server, Some(&key), &body(&["shop"]));
    assert_eq!(refused.status, 401);
    assert!(status_message(&refused).contains("\"shop-1\" expired at"), "{}", status_message(&refused));
    assert_eq!(grpc::status(&call(&server, &key, &body(&["shop"]))).code, 16);
}

#[test]
fn what_was_taken_in_part_is_the_same_part_after_a_crash() {
    let home = Home::new();
    let scope = ["--integration", "shop"];
    let key = add(&home, "shop-1", &scope);
    let successor = add(&home, "shop-2", &scope);
    let mut server = faulty::start(&home, &["--kill", "in-transaction:1"]).expect("it starts");
    let sent = body(&["shop", "crm", "crm"]);
    let answer = send(&server, Some(&key), &sent);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("2 records not taken"), "{}", answer.text());
    assert!(!server.wait(SOON).success(), "it ended itself");
    drop(server);
    // Revoked meanwhile: what was acknowledged stays so.
    succeeds(&home, &["keys", "revoke", "shop-1"]);
    let server = home.start();
    // A copy counts once, by the key's successor too.
    let copy = send(&server, Some(&successor), &sent);
    assert_eq!(copy.status, 200);
    stop(server);
    let audit = faulty::audit(&home);
    assert_eq!((attempts(&audit, "shop"), attempts(&audit, "crm")), (Some(1), None), "{audit}");
}

#[test]
fn no_key_lies_anywhere_on_the_disk() {
    let home = Home::new();
    let key = add(&home, "shop-1", &["--integration", "shop"]);
    let server = home.start();
    assert_eq!(send(&server, Some(&key), &body(&["shop", "crm"])).status, 200);
    grpc::message(&call(&server, &key, &body(&["shop"])));
    let stranger = key.replacen("sw_ing_", "sw_ing_x", 1);
    assert_eq!(send(&server, Some(&stranger), &body(&["shop"])).status, 401);
    succeeds(&home, &["keys", "revoke", "shop-1"]);
    until(&server, Some(&key), 401);
    assert!(fails(&home, &["keys", "revoke", &key]).contains("Name the key by its name or number"));
    // The inbox holds requests as they came, and their heads are no part of that.
    search(home.path(), secret(&key).as_bytes(), &mut 0);
    let mut said = stop(server);
    said.push_str(&succeeds(&home, &["audit", "--json"]));
    said.push_str(&succeeds(&home, &["keys", "list", "--json"]));
    let secret = secret(&key);
    assert!(!said.contains(secret), "{said}");
    let mut files = 0;
    search(home.path(), secret.as_bytes(), &mut files);
    assert!(files > 3, "{files} files");
}

/// The letters of a key that nobody can guess.
fn secret(key: &str) -> &str {
    let secret = &key["sw_ing_".len()..key.len() - 7];
    assert_eq!(secret.len(), 22);
    secret
}

fn search(folder: &Path, secret: &[u8], files: &mut usize) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            search(&path, secret, files);
            continue;
        }
        *files += 1;
        // The server deletes files of the inbox as it goes.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
    }
}

#[test]
fn an_entry_that_was_changed_is_named_by_its_number() {
    let home = Home::new();
    for name in ["a", "b", "c"] {
        add(&home, name, &["--integration", name]);
    }
    let server = home.start();
    let whole = succeeds(&home, &["audit", "--verify"]);
    // The fourth: keys and no user, so the server offered a link that makes the first.
    assert!(whole.starts_with("4 entries hang together"), "{whole}");
    let found = succeeds(&home, &["audit", "--search", "INTEGRATION B", "--json"]);
    let entry: Value = serde_json::from_str(&found).expect("one entry");
    assert_eq!((entry["number"].as_u64(), entry["object"].as_str()), (Some(2), Some("b (key 2)")));
    assert!(entry["actor"].as_str().is_some_and(|actor| actor.starts_with("console:")), "{entry}");
    stop(server);
    tamper(&home);
    let said = fails(&home, &["audit", "--verify"]);
    assert!(said.contains("Entry 2 does not hang together"), "{said}");
}

/// Changes the second entry of the audit log, which the catalog does not let happen.
pub fn tamper(home: &Home) {
    let tamper = "import sqlite3,sys\ndb=sqlite3.connect(sys.argv[1])\n\
                  try:\n db.execute(\"UPDATE audit SET detail='nothing' WHERE number=2\"); sys.exit('it was let')\n\
                  except sqlite3.IntegrityError: pass\n\
                  db.execute('DROP TRIGGER audit_is_not_changed')\n\
                  db.execute(\"UPDATE audit SET detail='nothing' WHERE number=2\"); db.commit()";
    let done = Command::new("python3").args(["-c", tamper]).arg(home.data().join("catalog.db")).status();
    assert!(done.is_ok_and(|status| status.success()));
}

#[test]
fn an_address_that_the_network_reaches_needs_a_user_and_a_key() {
    let home = Home::new();
    let public = |more: &[&str]| Server::run(serve_at(&home, "0.0.0.0:0", "127.0.0.1:0").args(more));
    let (status, said) = public(&[]).err().expect("it does not start");
    assert_eq!(status.and_then(|status| status.code()), Some(1));
    assert!(said.contains("no user exists") && said.contains("seamwatch users add"), "{said}");
    let checked = seamwatch().arg("check").arg("--config").arg(home.config()).output().expect("it runs");
    assert!(checked.status.success(), "`check` cannot know");
    let server = public(&["--insecure-public"]).unwrap_or_else(|(_, said)| panic!("{said}"));
    assert_eq!(send(&server, None, &body(&["shop"])).status, 200);
}

#[test]
fn telemetry_of_this_machine_may_be_left_open() {
    let home = Home::new();
    home.configure("[ingest]\nkeys_on_loopback = false\n");
    let key = add(&home, "shop-1", &["--integration", "shop"]);
    let server = home.start();
    assert_eq!(send(&server, None, &body(&["crm"])).status, 200);
    assert_eq!(send(&server, Some(&key), &body(&["crm"])).status, 403, "who shows a key is held to it");
    drop(server);
    let (_, said) = Server::run(serve_at(&home, "127.0.0.1:0", "0.0.0.0:0").arg("--insecure-public"))
        .err()
        .expect("it does not start");
    assert!(said.contains("keys_on_loopback = false would let everybody"), "{said}");
}

#[test]
fn a_limit_of_a_key_is_its_own() {
    let home = Home::new();
    let fast = add(&home, "fast", &["--integration", "shop", "--rate", "1"]);
    let calm = add(&home, "calm", &["--integration", "shop"]);
    let server = home.start();
    let refused = until(&server, Some(&fast), 429);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    for _ in 0..5 {
        assert_eq!(send(&server, Some(&calm), &body(&["shop"])).status, 200);
    }
}

/// The variable that SDKs read, with the space of the header percent-encoded in it.
fn sdk(transport: &str, address: impl Fn(&Server) -> String) {
    let home = Home::new();
    let key = add(&home, "python", &["--integration", "python-sdk", "--environment", "default"]);
    let server = home.start();
    let mut client = clients::python("sdk.py");
    client.args([transport, &format!("http://{}", address(&server)), "python-sdk"]);
    client.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{key}"));
    let sent = clients::run(client).as_array().expect("a list of spans").len() as u64;
    stop(server);
    let audit = faulty::audit(&home);
    let of =
        |endpoint: &str| audit[format!("python-sdk {endpoint}")]["attempts"].as_u64().unwrap_or_default();
    assert_eq!(of("GET /v1/charges/{id}") + of("POST /v1/refunds"), sent, "{audit}");
}

#[test]
fn the_python_sdk_sends_a_key_by_grpc() {
    sdk("grpc", |server| server.otlp_grpc.clone());
}

#[test]
fn the_python_sdk_sends_a_key_by_http() {
    sdk("http", |server| server.otlp_http.clone());
}

#[test]
fn what_is_asked_wrongly_is_told_and_makes_no_folder() {
    let home = Home::new();
    assert!(fails(&home, &["keys", "list"]).contains("There is no catalog in"));
    assert!(fails(&home, &["audit"]).contains("--data DIR"));
    assert!(!home.data().exists());
    let output = command(&home, &["keys", "add", "a", "--integration", "a", "--expires", "soon"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("write it like 90d, 24h or 30m"));
    assert!(fails(&home, &["keys", "add", "17", "--integration", "a"]).contains("is not a number"));
    add(&home, "a", &["--integration", "a"]);
    assert!(
        fails(&home, &["keys", "add", "a", "--integration", "b"]).contains("There is a key \"a\" already")
    );
    assert!(fails(&home, &["keys", "revoke", "b"]).contains("There is no key \"b\""));
}
