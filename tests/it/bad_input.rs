//! Bad input of every kind: a clear error, the server up, nothing lost.

use std::process::{Command, Output, Stdio};

use prost::Message;

use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::pack::gzip;
use crate::support::server::{Answer, Server, seamwatch, serve};
use crate::support::{SOON, story, wait_until};

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn good(spans: u64) -> Vec<u8> {
    let attempt = |n: u64| Attempt {
        peer: "api.example.com",
        method: "GET",
        template: "/v1/things",
        status: 200,
        end: otlp::now() - n * 1_000_000,
        duration: 7_000_000,
    };
    otlp::traces("steady", &[], (0..spans).map(|n| attempt(n).span()).collect()).encode_to_vec()
}

/// Runs a command that must fail by itself, and gives what it said.
fn fails(mut command: Command) -> String {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary can be started");
    let status = wait_until(&format!("{command:?} gives up"), SOON, || {
        child.try_wait().expect("a child can be asked")
    });
    let Output { stdout, stderr, .. } = child.wait_with_output().expect("its output can be read");
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(!status.success(), "it must fail, but: {said}");
    assert!(status.code().is_some(), "it must end by itself: {status} {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// A final refusal: a sentence in the request's own encoding, and no invitation to send it again.
fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), "");
    if answer.header("content-type") == JSON.1 {
        let message = answer.json()["message"].as_str().unwrap_or("").to_owned();
        assert!(message.len() > 10, "no sentence: {}", answer.text());
    } else {
        assert_eq!(answer.header("content-type"), PROTOBUF.1);
        assert!(!answer.body.is_empty());
    }
}

fn refuse_all(server: &Server) {
    let whole = gzip(&good(1));
    let spans = format!("{{\"resourceSpans\":[{}", "[".repeat(100_000));
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        refused(&server.post(path, &[PROTOBUF], vec![0xff; 64]), 400);
        refused(&server.post(path, &[JSON], "{\"resourceSpans\":["), 400);
        refused(&server.post(path, &[JSON], "garbage"), 400);
        refused(&server.post(path, &[JSON], spans.clone()), 400);
        refused(&server.post(path, &[("content-type", "text/plain")], "x"), 415);
        refused(&server.post(path, &[], good(1)), 415);
        refused(&server.post(path, &[PROTOBUF, ("content-encoding", "br")], good(1)), 415);
        refused(&server.post(path, &[PROTOBUF, GZIP], whole[..whole.len() / 2].to_vec()), 400);
        refused(&server.post(path, &[PROTOBUF, GZIP], good(1)), 400);
        refused(&server.post(path, &[JSON, GZIP], gzip(&vec![b' '; 65 << 20])), 413);
    }
    refused(&server.post("/v1/everything", &[JSON], "{}"), 404);
    refused(&server.post("/", &[JSON], "{}"), 404);
    refused(&server.post("/report/x", &[JSON], "{\"status\":\"perhaps\"}"), 400);
    refused(&server.post("/report/x", &[JSON], "{"), 400);
}

#[test]
fn garbage_is_refused_with_a_sentence_and_the_good_goes_on() {
    let home = Home::new();
    let mut server = home.start();
    assert_eq!(server.post("/v1/traces", &[PROTOBUF], good(30)).status, 200);
    refuse_all(&server);
    assert_eq!(server.post("/v1/traces", &[PROTOBUF, GZIP], gzip(&good(12))).status, 200);
    server.counted("steady", "GET /v1/things", 42);
    assert!(server.is_up());
    let system = server.json("/api/v1/system");
    let refused: u64 =
        system["refused"].as_object().expect("reasons").values().filter_map(|n| n.as_u64()).sum();
    assert!(refused >= 30, "refusals are counted by reason: {system}");
    let integrations = server.json("/api/v1/integrations");
    assert_eq!(
        integrations["items"].as_array().map(Vec::len),
        Some(1),
        "garbage made an integration: {integrations}"
    );
}

#[test]
fn a_bad_span_among_good_ones_is_the_only_one_lost() {
    let home = Home::new();
    let server = home.start();
    let attempt = Attempt {
        peer: "api.example.com",
        method: "GET",
        template: "/v1/x",
        status: 200,
        end: otlp::now(),
        duration: 1,
    };
    let mut spans: Vec<_> = (0..5).map(|_| attempt.span()).collect();
    spans[2].trace_id = vec![0; 16];
    let body = otlp::traces("mixed", &[], spans).encode_to_vec();
    let answer = server.post("/v1/traces", &[PROTOBUF], body);
    assert_eq!(answer.status, 200);
    let said =
        opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse::decode(&*answer.body);
    let partial = said.expect("an export response").partial_success.expect("a partial success");
    assert_eq!(partial.rejected_spans, 1);
    assert!(partial.error_message.contains("trace"), "{}", partial.error_message);
    server.counted("mixed", "GET /v1/x", 4);
}

#[test]
fn a_port_in_use_is_named() {
    let home = Home::new();
    let server = home.start();
    let other = Home::new();
    for (flag, address) in
        [("--web", &server.web), ("--otlp-http", &server.otlp_http), ("--otlp-grpc", &server.otlp_grpc)]
    {
        let mut command = seamwatch();
        command.arg("serve").arg("--data").arg(other.data()).arg("--config").arg(other.config());
        for port in ["--web", "--otlp-http", "--otlp-grpc"] {
            command.args([port, if port == flag { address.as_str() } else { "127.0.0.1:0" }]);
        }
        let said = fails(command);
        let port = address.rsplit(':').next().unwrap_or("");
        assert!(said.contains(port) && said.contains("in use"), "{said}");
        assert!(said.contains(flag), "it says which flag to change: {said}");
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named() {
    let home = Home::new().with_data("file/below");
    // A folder under a file cannot be made, not even by root.
    std::fs::write(home.path().join("file"), "").expect("a file can be written");
    let said = fails(serve(&home));
    assert!(said.contains(&home.data().display().to_string()), "{said}");
}

fn check(home: &Home) -> Command {
    let mut command = seamwatch();
    command.arg("check").arg("--config").arg(home.config()).arg("--alerts").arg(home.alerts());
    command
}

#[test]
fn check_points_to_file_and_line() {
    let home = story::quick_home();
    let whole = check(&home).output().expect("the binary can be started");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&[whole.stdout, whole.stderr].concat()));

    // Line 10 of the rule, after the empty first line.
    let line = story::QUICK_RULE.lines().position(|line| line.starts_with("fire")).expect("a threshold") + 1;
    home.write_rule("success-rate-low.toml", &story::QUICK_RULE.replace("fire  ", "fier  "));
    let said = fails(check(&home));
    assert!(said.contains(&format!("success-rate-low.toml:{line}")) && said.contains("fier"), "{said}");

    home.write_rule("success-rate-low.toml", &story::QUICK_RULE.replace("< 95 %", "< 95 parsecs"));
    let said = fails(check(&home));
    assert!(said.contains(&format!("success-rate-low.toml:{line}")), "{said}");

    home.write_rule("success-rate-low.toml", &story::QUICK_RULE.replace("success-rate-low.md", "gone.md"));
    let said = fails(check(&home));
    assert!(said.contains("gone.md"), "{said}");

    home.write_rule("success-rate-low.toml", story::QUICK_RULE);
    home.configure("[mail]\nto = [\"somebody@example.com\"]\nform = \"x\"\n");
    let said = fails(check(&home));
    assert!(said.contains("seamwatch.toml:3") && said.contains("form"), "{said}");
    let said = fails(serve(&home));
    assert!(said.contains("seamwatch.toml:3"), "{said}");
}

#[test]
fn check_reads_the_files_that_the_configuration_names_and_the_environment() {
    let home = story::quick_home();
    for (section, words) in [
        (
            "[smtp]\nhost = \"relay.example.com\"\nusername = \"u\"\npassword_file = \"gone\"\n",
            "password_file = gone",
        ),
        ("[smtp]\nhost = \"relay.example.com\"\nca_file = \"gone.pem\"\n", "ca_file = gone.pem"),
        ("[smtp]\nhost = \"relay.example.com\"\nusername = \"u\"\n", "no password"),
    ] {
        home.configure(section);
        let said = fails(check(&home));
        assert!(said.contains(words), "{said}");
    }
    home.configure("");
    let mut mistyped = check(&home);
    mistyped.env("SEAMWATCH_DTA", "/data");
    assert!(fails(mistyped).contains("SEAMWATCH_DTA is no setting"));
    let mut no_tests = seamwatch();
    no_tests.arg("test").current_dir(home.path());
    assert!(fails(no_tests).contains("There is no folder alerts/tests"));
}

#[test]
fn a_demo_that_cannot_start_touches_no_folder() {
    let home = Home::new();
    let server = home.start();
    let folder = home.path().join("seamwatch-demo");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    for file in ["made-by-seamwatch-demo", "catalog.db"] {
        std::fs::write(folder.join(file), "").expect("a file can be written");
    }
    let mut demo = seamwatch();
    demo.arg("demo").args(["--web", &server.web]).current_dir(home.path()).env("SEAMWATCH_DATA", home.data());
    assert!(fails(demo).contains("in use"));
    assert!(folder.join("catalog.db").exists(), "another demo's data is there still");
}

#[test]
fn a_rule_that_breaks_while_the_server_runs_keeps_the_old_ones_and_says_so() {
    let home = story::quick_home();
    let mut server = home.start();
    let problems =
        |server: &Server| server.json("/api/v1/system")["rules"]["problems"].as_array().map_or(0, Vec::len);
    assert_eq!(problems(&server), 0);
    home.write_rule("success-rate-low.toml", &story::QUICK_RULE.replace("fire  ", "fier  "));
    server.signal("HUP");
    wait_until("the dashboard names the broken file", SOON, || {
        let page = server.get("/").text();
        page.contains("success-rate-low.toml:").then_some(())
    });
    assert!(problems(&server) > 0);
    assert!(server.is_up());
    assert_eq!(server.json("/api/v1/system")["rules"]["count"], 1, "the old rule stays in force");
    assert_eq!(server.get(&format!("/runbooks/{}", story::RUNBOOK)).status, 200);

    // Without a signal: a change of the file is seen.
    home.write_rule("success-rate-low.toml", &format!("{}\n# sound again\n", story::QUICK_RULE));
    wait_until("the dashboard is content again", SOON, || {
        (!server.get("/").text().contains("success-rate-low.toml:")).then_some(())
    });
    assert_eq!(problems(&server), 0);
}
