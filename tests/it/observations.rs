//! What telemetry means, through the real server: what is derived where ours is absent, metrics of others, names that
//! integrations had before.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::Value;

use crate::support::home::Home;
use crate::support::otlp::{self, Attempt, MINUTE, SECOND, attribute};
use crate::support::server::{Server, seamwatch};
use crate::support::{SOON, wait_until};

/// A captured header, as instrumentation writes it: a list of texts.
fn header(name: &str, value: &str) -> KeyValue {
    let text = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    let list = any_value::Value::ArrayValue(ArrayValue { values: vec![text] });
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(list) }), ..KeyValue::default() }
}

/// A server span of a webhook with an id.
fn delivery(id: &str, status: i64) -> Span {
    let (end, duration) = (otlp::now(), SECOND / 100);
    let attempt = Attempt { peer: "", method: "POST", template: "", status, end, duration };
    let mut span = attempt.span();
    span.kind = 2;
    span.status = Some(Status::default());
    span.attributes.push(attribute("http.route", "/webhooks/github"));
    span.attributes.push(header("http.request.header.x-github-delivery", id));
    span.attributes.push(header("http.request.header.x-github-event", "push"));
    span
}

/// Items of an integration's metrics in the last hour.
fn metrics(server: &Server, integration: &str, metric: &str) -> Vec<Value> {
    let now = otlp::now() / SECOND;
    let path = format!("/api/v1/integrations/{integration}/metrics?from={}&to={}", now - 3600, now + 120);
    let answer = server.get(&path);
    if answer.status == 404 {
        return Vec::new();
    }
    let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().filter(|item| item["metric"] == metric).collect()
}

/// attribute's value → the metric's value.
fn by(items: &[Value], attribute: &str) -> Vec<(String, f64)> {
    let one = |item: &Value| {
        let name = item["attributes"][attribute].as_str().unwrap_or("-").to_owned();
        Some((name, item["value"].as_f64()?))
    };
    let mut all: Vec<(String, f64)> = items.iter().filter_map(one).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn webhooks_limits_and_refreshes_of_plain_spans_are_counted() {
    let home = Home::new();
    let server = home.start();
    let send = |spans: Vec<Span>| server.export("/v1/traces", &otlp::traces("plain", &[], spans));
    send(vec![delivery("a", 200), delivery("b", 202), delivery("c", 401)]);
    // Another request with an id that is known, and one that failed before.
    send(vec![delivery("a", 200), delivery("c", 200), delivery("d", 503)]);
    let wanted: Vec<(String, f64)> =
        [("accepted", 3.0), ("duplicate", 1.0), ("rejected", 1.0), ("rejected", 1.0)]
            .map(|(name, n)| (name.into(), n))
            .into();
    let name = "integration.webhook.span_deliveries";
    wait_until("the deliveries", SOON, || {
        (by(&metrics(&server, "plain", name), "integration.webhook.result") == wanted).then_some(())
    });
    let all = metrics(&server, "plain", name);
    let label = |name: &str| format!("integration.webhook.{name}");
    assert!(all.iter().all(|item| item["attributes"][label("provider")] == "github"), "{all:?}");
    assert!(all.iter().all(|item| item["attributes"][label("event_type")] == "push"), "{all:?}");
    let reasons = by(&all, "integration.webhook.reason");
    assert!(
        reasons.contains(&("bad_signature".into(), 1.0)) && reasons.contains(&("handler_error".into(), 1.0))
    );

    let attempt = |peer, template, status| Attempt {
        peer,
        method: "POST",
        template,
        status,
        end: otlp::now(),
        duration: SECOND / 10,
    };
    let mut limited = attempt("api.github.com", "/repos", 201).span();
    limited.attributes.extend([
        header("http.response.header.x-ratelimit-limit", "5000"),
        header("http.response.header.x-ratelimit-remaining", "17"),
        header("http.response.header.x-ratelimit-reset", "1999999999"),
    ]);
    let mut refused = attempt("login.example.com", "/oauth2/token", 400).span();
    refused.attributes.push(attribute("error.type", "invalid_grant"));
    let vendor = attempt("identity.xero.com", "/connect/token", 200).span();
    send(vec![limited, refused, vendor]);
    let remaining = wait_until("what is left", SOON, || {
        let found = metrics(&server, "plain", "integration.rate_limit.remaining");
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(by(&remaining, "integration.rate_limit.name"), [("primary".to_owned(), 17.0)]);
    assert_eq!(by(&remaining, "integration.rate_limit.account"), [("api.github.com".to_owned(), 17.0)]);
    let refreshes = metrics(&server, "plain", "integration.credential.span_refreshes");
    let wanted: Vec<(String, f64)> = [("peer:identity.xero.com", 1.0), ("peer:login.example.com", 1.0)]
        .map(|(name, n)| (name.into(), n))
        .into();
    assert_eq!(by(&refreshes, "integration.credential.id"), wanted);
    assert!(by(&refreshes, "error.type").contains(&("invalid_grant".into(), 1.0)), "{refreshes:?}");
}

#[test]
fn metrics_of_others_are_queues_and_an_entry_of_ones_own_is_one_more() {
    let home = Home::new();
    home.configure(
        "[[metric]]\nfrom = \"acme.jobs\"\nto = \"integration.queue.depth\"\nqueue = \"job\"\n\
         where = { kind = \"live\" }\nscale = 10\n",
    );
    let server = home.start();
    let lag = |partition: &str, value| {
        let of = [("group", "billing"), ("topic", "orders"), ("partition", partition)];
        otlp::gauge("kafka.consumer_group.lag", value, &of)
    };
    server.export("/v1/metrics", &otlp::metrics("kafka", vec![lag("0", 40.0), lag("1", 2.0)]));
    let jobs = |kind: &str| otlp::gauge("acme.jobs", 3.0, &[("job", "mail"), ("kind", kind)]);
    server.export("/v1/metrics", &otlp::metrics("jobs", vec![jobs("live"), jobs("done")]));
    let depth = |name: &str| {
        wait_until(name, SOON, || {
            let all = server.json("/api/v1/integrations");
            let row = all["items"].as_array()?.iter().find(|one| one["name"] == name).cloned()?;
            row["queue_depth"].as_f64()
        })
    };
    assert_eq!((depth("kafka"), depth("jobs")), (42.0, 30.0), "added up, and in our unit");
    assert!(server.get("/integrations/kafka").text().contains("billing/orders"));
    assert_eq!(by(&metrics(&server, "jobs", "acme.jobs"), "kind"), [("done".to_owned(), 3.0)], "of nobody's");
    drop(server);

    home.configure("[mail]\nto = [\"a@example.com\"]\n\n[[metric]]\nfrom = \"acme.jobs\"\nto = \"integration.queue.dept\"\nqueue = \"job\"\n");
    let mut check = seamwatch();
    check.arg("check").arg("--config").arg(home.config()).arg("--alerts").arg(home.alerts());
    let output = check.output().expect("the binary can be started");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        !output.status.success() && said.contains("seamwatch.toml:6: metric \"acme.jobs\": to = "),
        "{said}"
    );
}

#[test]
fn what_is_sent_under_an_old_name_counts_under_the_new_and_what_is_retired_is_in_no_list() {
    let home = Home::new();
    let attempt = |n: u64| Attempt {
        peer: "api.example.com",
        method: "GET",
        template: "/v1/x",
        status: 200,
        end: otlp::now() - n * MINUTE,
        duration: SECOND / 100,
    };
    let send = |server: &Server, name: &str, n| {
        server.export("/v1/traces", &otlp::traces(name, &[], vec![attempt(n).span()]));
    };
    let mut server = home.start();
    for name in ["web-shop", "fax", "shop"] {
        send(&server, name, 2);
        server.counted(name, "GET /v1/x", 1);
    }
    // Written down: what is replayed from the inbox is read by the rules of its day.
    server.signal("TERM");
    server.wait(SOON);
    home.configure(
        "[[integration]]\nname = \"shop\"\nwas = [\"web-shop\", \"store\"]\n\n\
         [[integration]]\nname = \"fax\"\nretired = true\n",
    );
    let server = home.start();
    for name in ["web-shop", "store", "fax"] {
        send(&server, name, 1);
    }
    server.counted("shop", "GET /v1/x", 3);
    server.counted("fax", "GET /v1/x", 2);
    let names = |server: &Server| -> Vec<String> {
        let all = server.json("/api/v1/integrations");
        let names = all["items"].as_array().into_iter().flatten();
        names.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(&server), ["shop"], "what was sent before stays with its name, and is in no list");
    server.counted("web-shop", "GET /v1/x", 1);
    let page = server.get("/").text();
    assert!(page.contains("shop") && !page.contains(">fax<"), "{page}");
}
