//! Error groups, their exemplars, the evidence of incidents and changes: over real sockets, through crash and replay,
//! and after the raw telemetry is gone.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{Span, span};
use serde_json::Value;

use crate::support::home::Home;
use crate::support::otlp::{self, Attempt, MINUTE, SECOND, attribute};
use crate::support::server::Server;
use crate::support::{A_TICK, Dice, SOON, story, wait_until};

const NAME: &str = "shop-books";
const ENDPOINT: &str = "POST /v1/invoices/{id}";

/// A call that was refused, with the body that came with it.
fn refused(n: usize) -> Span {
    let attempt = Attempt {
        peer: "api.books.example",
        method: "POST",
        template: "/v1/invoices/{id}",
        status: 422,
        end: otlp::now(),
        duration: 20_000_000,
    };
    let mut span = attempt.span();
    let payload = format!("{{\"error\":\"vat_id of customer C-{n} is not valid\"}}");
    span.attributes.push(attribute("integration.payload", &payload));
    span.events.push(span::Event {
        name: "exception".into(),
        time_unix_nano: otlp::now(),
        attributes: vec![
            attribute("exception.type", "ValidationError"),
            attribute("exception.message", &format!("invoice {n} of \"ACME {n}\" was refused")),
        ],
        ..span::Event::default()
    });
    span
}

fn request(spans: Vec<Span>, version: &str) -> ExportTraceServiceRequest {
    otlp::traces(NAME, &[("service.version", version)], spans)
}

fn refusals(from: usize, count: usize) -> ExportTraceServiceRequest {
    request((from..from + count).map(refused).collect(), "1.4.0")
}

/// The one group of the integration, once it failed so often.
fn group(server: &Server, failures: u64) -> Value {
    wait_until("the error group", SOON, || {
        let list = server.json(&format!("/api/v1/errors?integration={NAME}"));
        let items = list["items"].as_array()?;
        assert!(items.len() <= 1, "{items:?}");
        let one = items.first()?.clone();
        assert!(one["failures"].as_u64() <= Some(failures), "counted more than once: {one}");
        (one["failures"] == failures).then_some(one)
    })
}

fn exemplars(server: &Server, group: &Value) -> Vec<Value> {
    let fingerprint = group["fingerprint"].as_str().expect("a fingerprint");
    let whole = server.json(&format!("/api/v1/errors/{fingerprint}"));
    whole["exemplars"].as_array().expect("a list of exemplars").clone()
}

fn span_ids(exemplars: &[Value]) -> Vec<&str> {
    let mut ids: Vec<&str> = exemplars.iter().filter_map(|one| one["span_id"].as_str()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn failures_that_say_the_same_are_one_group_with_their_payloads() {
    let home = Home::new();
    let server = home.start();
    server.export("/v1/traces", &refusals(0, 3));
    let one = group(&server, 3);
    assert_eq!(one["type"], "ValidationError");
    assert_eq!(one["message"], "invoice {n} of {text} was refused");
    assert_eq!((&one["endpoint"], &one["peer"]), (&ENDPOINT.into(), &"api.books.example".into()));
    assert_eq!((&one["direction"], &one["first_version"]), (&"outbound".into(), &"1.4.0".into()));
    assert_eq!(one["exemplar_count"], 3);
    let kept = exemplars(&server, &one);
    assert_eq!(kept.len(), 3);
    for exemplar in &kept {
        assert_eq!((&exemplar["status"], &exemplar["class"]), (&"422".into(), &"validation".into()));
        assert_eq!(exemplar["endpoint"], ENDPOINT);
        let payload = exemplar["payload"].as_str().expect("a payload");
        assert!(payload.starts_with("{\"error\":\"vat_id of customer C-"), "{payload}");
        assert_eq!(exemplar["span"]["name"], "POST");
    }
    let found = |q: &str| {
        let list = server.json(&format!("/api/v1/errors?q={q}"));
        list["items"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((found("customer%20c-2"), found("customer%20c-3"), found("was%20refused")), (1, 0, 1));
    assert_eq!(server.get("/api/v1/errors/zz").status, 400);
    assert_eq!(server.get(&format!("/api/v1/errors/{}", "0".repeat(32))).status, 404);
    assert_eq!(server.get("/api/v1/incidents/ZZZZ/evidence").status, 404);

    // What cannot speak OTLP fails too.
    let report = server.post(
        "/report/nightly",
        &[("content-type", "application/x-www-form-urlencoded")],
        "status=failure&message=step+7+broke".to_owned(),
    );
    assert_eq!(report.status, 200);
    let told = wait_until("the report", SOON, || {
        let list = server.json("/api/v1/errors?integration=nightly");
        list["items"].as_array()?.first().cloned()
    });
    assert_eq!(
        (&told["message"], &told["latest_message"]),
        (&"step {n} broke".into(), &"step 7 broke".into())
    );
    assert_eq!(exemplars(&server, &told)[0]["message"], "step 7 broke");
}

#[test]
fn a_crash_changes_no_count_and_no_exemplar() {
    let mut dice = Dice::thrown("errors");
    let home = Home::new();
    let mut sent = 0;
    let mut before: Vec<String> = Vec::new();
    for round in 0..6 {
        let mut server = home.start();
        let requests: Vec<_> = (0..5).map(|_| refusals(0, 3)).collect();
        for request in &requests {
            server.export("/v1/traces", request);
            sent += 3;
        }
        if round > 0 {
            // A copy of what was taken just now counts no second time.
            server.export("/v1/traces", &requests[0]);
        }
        std::thread::sleep(std::time::Duration::from_millis(dice.between(0, 3_000)));
        server.signal("KILL");
        server.wait(SOON);
        let server = home.start();
        let kept = exemplars(&server, &group(&server, sent));
        let ids = span_ids(&kept);
        let mut once = ids.clone();
        once.dedup();
        assert_eq!(ids, once, "one is kept twice");
        assert_eq!(ids.len() as u64, sent.min(20));
        assert!(before.iter().all(|id| ids.contains(&&**id)), "what was kept stays");
        before = ids.into_iter().map(str::to_owned).collect();
    }
}

#[test]
fn the_evidence_of_an_incident_outlives_the_raw_telemetry() {
    let home = story::quick_home();
    let mut server = home.start();
    let end = otlp::settled_minute();
    let failing = |n: u64| Span {
        end_time_unix_nano: end + n * SECOND / 10,
        start_time_unix_nano: end,
        ..refused(n as usize)
    };
    let failing: Vec<Span> = (0..30).map(failing).collect();
    let mut log = otlp::event(NAME, "", &[("note", "beside the call")]);
    let record = &mut log.resource_logs[0].scope_logs[0].log_records[0];
    record.trace_id.clone_from(&failing[29].trace_id);
    record.time_unix_nano = end;
    record.body = attribute("", "about to write an invoice").value;
    server.export("/v1/logs", &log);
    let parent = Span {
        trace_id: failing[29].trace_id.clone(),
        span_id: vec![7; 8],
        name: "sync invoices".into(),
        kind: 1,
        start_time_unix_nano: end,
        end_time_unix_nano: end + MINUTE / 4,
        ..Span::default()
    };
    server.export("/v1/traces", &request([failing, vec![parent]].concat(), "1.4.0"));
    let incident = story::incident(&server, "open");
    let (id, code) = (incident["id"].as_str().expect("an id"), incident["code"].as_str().expect("a code"));
    let evidence = |server: &Server, kind: &str| -> Vec<Value> {
        let all = server.json(&format!("/api/v1/incidents/{id}/evidence"));
        let items = all["items"].as_array().expect("a list");
        items.iter().filter(|item| item["kind"] == kind).cloned().collect()
    };
    let pinned = wait_until("pinned failures", A_TICK, || {
        let pinned = evidence(&server, "failure");
        (!pinned.is_empty()).then_some(pinned)
    });
    assert_eq!(pinned.len(), 20);
    let with_parent = pinned.iter().filter(|one| one["trace"].to_string().contains("sync invoices"));
    let logs = evidence(&server, "log");

    server.signal("TERM");
    assert!(server.wait(SOON).success());
    let segments = home.data().join("segments");
    std::fs::remove_dir_all(&segments).expect("there are segments");
    std::fs::create_dir(&segments).expect("they are gone");
    let server = home.start();
    let after = evidence(&server, "failure");
    assert_eq!(span_ids(&after), span_ids(&pinned));
    for one in &after {
        assert!(one["payload"].as_str().is_some_and(|text| text.contains("vat_id")), "{one}");
        assert!(one["fingerprint"].as_str().is_some_and(|text| text.len() == 32), "{one}");
        assert_eq!(one["endpoint"], ENDPOINT);
    }
    assert_eq!(evidence(&server, "log"), logs);
    if with_parent.count() > 0 {
        assert!(logs.iter().any(|one| one["message"] == "about to write an invoice"), "{logs:?}");
    }
    let rule = evidence(&server, "rule");
    assert!(rule[0]["rule"].as_str().is_some_and(|text| text.contains("min_bad   = 3")), "{rule:?}");
    let page = server.get(&format!("/incidents/{code}")).text();
    for wanted in ["vat_id of customer", "The rule as it stood", "min_bad", "All that failed this way"] {
        assert!(page.contains(wanted), "no {wanted} on the page");
    }
    assert_eq!(exemplars(&server, &group(&server, 30)).len(), 20);
}

#[test]
fn each_version_is_marked_once_when_it_was_first_seen() {
    let home = Home::new();
    let server = home.start();
    // Two replicas take turns while a deploy rolls, some of it in one request.
    for version in ["1.4.0", "1.5.0", "1.4.0", "1.5.0"] {
        server.export("/v1/traces", &request(vec![refused(1)], version));
    }
    let mut both = request(vec![refused(2)], "1.4.0");
    both.resource_spans.extend(request(vec![refused(3)], "1.6.0").resource_spans);
    server.export("/v1/traces", &both);
    let mut event = otlp::event(
        NAME,
        "integration.change",
        &[("integration.change.kind", "vendor"), ("integration.change.effective_at", "1900000000")],
    );
    let record = &mut event.resource_logs[0].scope_logs[0].log_records[0];
    record.body = attribute("", "API version 2 ends").value;
    server.export("/v1/logs", &event);
    let path = format!("/api/v1/integrations/{NAME}/changes");
    let changes = wait_until("the changes", SOON, || {
        let changes = server.json(&path)["items"].as_array()?.clone();
        (changes.len() >= 4).then_some(changes)
    });
    let mut said: Vec<_> =
        changes.iter().map(|one| (one["kind"].as_str().unwrap(), one["text"].as_str().unwrap())).collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [("vendor", "API version 2 ends"), ("version", "1.4.0"), ("version", "1.5.0"), ("version", "1.6.0")]
    );
    let vendor = changes.iter().find(|one| one["kind"] == "vendor").expect("the event");
    assert_eq!(vendor["effective_at"], "2030-03-17T17:46:40Z");
    let page = server.get(&format!("/integrations/{NAME}")).text();
    for wanted in ["Version 1.5.0 was first seen", "API version 2 ends", "mark-edge deploy"] {
        assert!(page.contains(wanted), "no {wanted} on the page");
    }
}

#[test]
fn floods_and_odd_payloads_are_bounded_counted_and_named() {
    let home = Home::new();
    let server = home.start();
    let mut long = refused(1);
    let message = "m".repeat(1 << 20);
    long.events[0].attributes[1] = attribute("exception.message", &message);
    let mut odd = refused(2);
    let last = odd.attributes.len() - 1;
    odd.attributes[last] = attribute("integration.payload", "\u{0}\u{1b}[2J\r\n\u{202e}x");
    server.export("/v1/traces", &request(vec![long, odd], "1"));
    let word = |n: usize| n.to_string().bytes().map(|digit| char::from(digit + 49)).collect::<String>();
    for batch in 0..20 {
        let spans = (0..1_000).map(|n| {
            let mut span = refused(n);
            span.events[0].attributes[1] = attribute("exception.message", &word(batch * 1_000 + n));
            span
        });
        server.export("/v1/traces", &request(spans.collect(), &format!("0.{batch}")));
    }
    let all = wait_until("all of them", SOON, || {
        let list = server.json(&format!("/api/v1/errors?integration={NAME}&limit=1000"));
        let items = list["items"].as_array()?.clone();
        let sum: u64 = items.iter().filter_map(|one| one["failures"].as_u64()).sum();
        (sum == 20_002).then_some(items)
    });
    assert!(all.len() <= 201, "{}", all.len());
    assert_eq!(all[0]["type"], "(other)", "the most frequent");
    assert!(all.iter().all(|one| one["latest_message"].as_str().is_some_and(|said| said.len() <= 1024)));
    let page = server.get("/system").text();
    assert!(page.contains("Failures counted as (other)"), "{page}");
    let found = server.json("/api/v1/errors?q=%5B2j");
    let kept = exemplars(&server, &found["items"][0]);
    let payload = kept.iter().filter_map(|one| one["payload"].as_str()).find(|text| text.contains("[2J"));
    assert_eq!(payload, Some("␀␛[2J␍\n\u{202e}x"));
}
