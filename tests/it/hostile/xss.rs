//! Text that runs where it is not escaped, in every field of OTLP that holds text: on every page and in every mail it
//! stays text. CVE-2023-0594, CVE-2025-41117 (Grafana's trace view), CVE-2022-31097 (its alerting), CVE-2023-40577
//! (Alertmanager) are what such a field did to others.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span};
use serde_json::json;

use crate::support::otlp::{self, MINUTE, SECOND};
use crate::support::server::Server;
use crate::support::{A_TICK, SOON, clients, story, wait_until};

/// Ways out of the place that a text stands in.
const WAYS_OUT: [&str; 6] = ["", "\">", "'>", "-->", "</script>", "</title></textarea></style>"];
/// So many integrations fail, each with a mail.
const FAILING: usize = 24;
/// Calls of one that fails: as many as its rule wants to see.
const CALLS: u64 = 24;

/// All payloads; each tells its number when it runs.
fn payloads() -> Vec<String> {
    let shapes = include_str!("../../data/hostile/xss.txt").lines().filter(|line| !line.starts_with("# "));
    let shapes: Vec<&str> = shapes.filter(|line| line.contains("{js}") || line.contains("evil")).collect();
    assert!(shapes.len() >= 50, "{} shapes", shapes.len());
    let ways = WAYS_OUT.iter().flat_map(|way| shapes.iter().map(move |shape| format!("{way}{shape}")));
    ways.enumerate().map(|(n, text)| text.replace("{js}", &format!("hit({n})"))).collect()
}

/// The payload for a place, another one for each place of one integration.
struct Places<'a> {
    payloads: &'a [String],
    integration: usize,
    next: usize,
}

impl Places<'_> {
    fn next(&mut self) -> &str {
        self.next += 1;
        &self.payloads[(self.integration + self.next * 7) % self.payloads.len()]
    }
}

fn span(places: &mut Places, status: u64, end: u64) -> Span {
    let name = places.next().to_owned();
    let (peer, template, route) =
        (places.next().to_owned(), places.next().to_owned(), places.next().to_owned());
    let attempt = otlp::Attempt {
        peer: &peer,
        method: "POST",
        template: &template,
        status: status as i64,
        end,
        duration: 9_000_000,
    };
    let mut span = attempt.span();
    span.name = name;
    span.trace_state = places.next().to_owned();
    let exception = [
        ("exception.type", places.next().to_owned()),
        ("exception.message", places.next().to_owned()),
        ("exception.stacktrace", places.next().to_owned()),
    ];
    let event = span::Event {
        name: places.next().to_owned(),
        attributes: exception.iter().map(|(key, value)| otlp::attribute(key, value)).collect(),
        time_unix_nano: end,
        ..span::Event::default()
    };
    span.events.push(event);
    let key = places.next().to_owned();
    for (key, value) in [
        ("http.route", route),
        ("http.request.method_original", places.next().to_owned()),
        ("error.type", places.next().to_owned()),
        ("db.query.text", places.next().to_owned()),
        ("integration.connection.id", places.next().to_owned()),
        ("integration.operation", places.next().to_owned()),
        (&key, places.next().to_owned()),
    ] {
        span.attributes.push(otlp::attribute(key, &value));
    }
    span.status = Some(Status { code: if status >= 400 { 2 } else { 0 }, message: places.next().to_owned() });
    span
}

fn send(server: &Server, payloads: &[String], integration: usize, end: u64) {
    let name = &payloads[integration];
    let mut places = Places { payloads, integration, next: 0 };
    let resource = [
        ("service.version", places.next().to_owned()),
        ("integration.source", places.next().to_owned()),
        ("integration.destination", places.next().to_owned()),
        ("integration.owner.name", places.next().to_owned()),
        ("integration.runbook.url", places.next().to_owned()),
        ("host.name", places.next().to_owned()),
    ];
    let resource: Vec<(&str, &str)> = resource.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let calls = if integration < FAILING { CALLS } else { 2 };
    let spans = (0..calls).map(|n| {
        // The calls of one integration that fails are calls of one endpoint.
        let mut places = Places { payloads, integration, next: resource.len() };
        span(&mut places, if n % 2 == 0 { 503 } else { 200 }, end + n * SECOND / 10)
    });
    let mut request = otlp::traces(name, &resource, spans.collect());
    for scope in request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans) {
        let name = places.next().to_owned();
        scope.scope =
            Some(InstrumentationScope { name, version: places.next().to_owned(), ..Default::default() });
    }
    server.export("/v1/traces", &request);

    let names: Vec<String> = (0..5).map(|_| places.next().to_owned()).collect();
    let [queue, credential, kind, event, body] = names.as_slice() else { unreachable!("five names") };
    let queue = [("integration.queue.name", queue.as_str())];
    let token = [("integration.credential.id", credential.as_str()), ("integration.credential.kind", kind)];
    let expires = (otlp::now() / SECOND + 86_400) as f64;
    let gauges = vec![
        otlp::gauge("integration.queue.depth", 42.0, &queue),
        otlp::gauge("integration.credential.info", 1.0, &token),
        otlp::gauge("integration.credential.expires_at", expires, &token),
    ];
    server.export("/v1/metrics", &otlp::metrics(name, gauges));
    let (from, to) = ((otlp::now() / SECOND - 3600).to_string(), (otlp::now() / SECOND).to_string());
    let run = [
        ("integration.reconciliation.window.start", from.as_str()),
        ("integration.reconciliation.window.end", &to),
        ("integration.reconciliation.name", event),
        ("integration.reconciliation.run_id", body),
        ("integration.reconciliation.expected", "2"),
        ("integration.reconciliation.matched", "1"),
        ("integration.reconciliation.missing", "1"),
    ];
    let mut log = otlp::event(name, "integration.reconciliation.completed", &run);
    let mut free = otlp::event(name, event, &[("log.note", body), (queue[0].1, body)]);
    for record in
        free.resource_logs.iter_mut().flat_map(|one| &mut one.scope_logs).flat_map(|one| &mut one.log_records)
    {
        record.severity_text = places.next().to_owned();
        let text = any_value::Value::StringValue(places.next().to_owned());
        record.body = Some(AnyValue { value: Some(text) });
    }
    log.resource_logs.append(&mut free.resource_logs);
    server.export("/v1/logs", &log);
}

/// Addresses of a page's own links that begin so.
fn links(html: &str, start: &str) -> BTreeSet<String> {
    let after = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let own = after.filter(|address| address.starts_with(start)).map(|address| address.replace("&amp;", "&"));
    own.collect()
}

#[test]
fn cve_2022_31097_what_runs_elsewhere_is_text_on_every_page_and_in_every_mail() {
    let payloads = payloads();
    assert!(payloads.len() >= 300, "{} payloads", payloads.len());
    let home = story::quick_home();
    let server = home.start();
    let end = otlp::settled_minute();
    for integration in 0..payloads.len() {
        send(&server, &payloads, integration, if integration < FAILING { end } else { otlp::now() - MINUTE });
    }
    // Each page of an integration once, by its name: some payloads are the same name once they are one visible line.
    let integrations = wait_until("all integrations", SOON, || {
        let items = server.json("/api/v1/integrations");
        let items = items["items"].as_array()?.iter().filter_map(|item| item["name"].as_str());
        let names: BTreeSet<String> = items.map(str::to_owned).collect();
        (names.len() + 12 >= payloads.len()).then_some(names)
    });
    let mails = wait_until("a mail for each that fails", A_TICK, || {
        let found = links(&server.get("/mail").text(), "/mail/");
        (found.len() >= FAILING).then_some(found)
    });
    let incidents = links(&server.get("/incidents").text(), "/incidents/");
    assert!(incidents.len() >= FAILING, "{incidents:?}");

    let mut pages: Vec<String> =
        ["/", "/incidents", "/errors", "/mail", "/system", "/runbooks"].map(String::from).into();
    let encode = |name: &String| name.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    pages.extend(integrations.iter().map(|name| format!("/integrations/{}", encode(name))));
    pages.extend(incidents);
    let errors = links(&server.get("/errors").text(), "/errors/");
    assert!(errors.len() >= FAILING, "{errors:?}");
    pages.extend(errors.into_iter().take(60));
    pages.extend(mails.iter().cloned());
    let html: Vec<String> = mails.iter().map(|mail| format!("{mail}/html")).collect();

    let order = json!({
        "base": format!("http://{}", server.web), "pages": pages, "mails": html, "chromium": clients::chromium(),
    });
    let mut browser = clients::node("xss.mjs");
    browser.arg(order.to_string());
    let seen = clients::run(browser);
    assert_eq!(seen["opened"], pages.len() + 2 * html.len());
    let harm = seen["harm"].as_array().expect("a list");
    assert!(harm.is_empty(), "{} times: {:#?}", harm.len(), &harm[..harm.len().min(20)]);
    let control = seen["control"].as_array().expect("a list");
    assert!(control.len() >= 2, "the browser sees what runs and what asks others: {control:?}");
}
