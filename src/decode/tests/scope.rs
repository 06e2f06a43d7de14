//! What a key may send for, and what becomes of the rest.

use super::*;
use crate::signals::scope::Scope;

fn rules(key: &str, integration: &str, environment: &str) -> Arc<Rules> {
    let (integration, environment) = (integration.parse().unwrap(), environment.parse().unwrap());
    let scope = Scope { key: key.into(), integration, environment };
    Arc::new(Rules { scope: Some(Arc::new(scope)), ..Rules::default() })
}

fn by(rules: &Arc<Rules>, signal: Signal, body: &str) -> Decoded {
    request(signal, Encoding::Json, body.as_bytes(), NOW, rules, &Limits::default()).unwrap()
}

fn resource(name: &str, environment: &str) -> String {
    let text = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    format!(
        r#""resource":{{"attributes":[{},{}]}}"#,
        text("service.name", name),
        text("deployment.environment.name", environment)
    )
}

/// Spans of these resources, the id of each its number.
fn spans(of: &[(&str, &str, usize)]) -> String {
    let mut id = 0;
    let mut one = |(name, environment, count): &(&str, &str, usize)| {
        let spans: Vec<String> = (0..*count)
            .map(|_| {
                id += 1;
                format!(
                    r#"{{"traceId":"{id:032x}","spanId":"{id:016x}","name":"GET","kind":3,"endTimeUnixNano":"{NOW}",
                    "attributes":[{{"key":"server.address","value":{{"stringValue":"api.example.com"}}}},
                    {{"key":"http.request.method","value":{{"stringValue":"GET"}}}}]}}"#
                )
            })
            .collect();
        let resource = resource(name, environment);
        format!(r#"{{{resource},"scopeSpans":[{{"spans":[{}]}}]}}"#, spans.join(","))
    };
    let all: Vec<String> = of.iter().map(&mut one).collect();
    format!(r#"{{"resourceSpans":[{}]}}"#, all.join(","))
}

#[test]
fn records_of_others_are_rejected_and_named_and_leave_no_trace() {
    let shop = rules("shop-1", "shop", "prod*");
    let body = spans(&[("shop", "production", 3), ("crm", "production", 2), ("shop", "staging", 1)]);
    let Decoded { batch, rejected } = by(&shop, Signal::Traces, &body);
    assert_eq!((batch.records, batch.spans.len(), rejected.count, rejected.outside), (3, 3, 3, 3));
    assert_eq!(
        rejected.message,
        "3 records not taken: the key \"shop-1\" may send for integration shop in environment prod*, and they are \
         for crm in production, shop in staging"
    );
    let seen = &batch.observations;
    assert_eq!(seen.integrations.len(), 1);
    assert!(seen.series.iter().all(|key| &*key.integration.name == "shop") && seen.calls.len() == 3);
}

#[test]
fn every_kind_of_record_is_asked_whose_it_is() {
    let shop = rules("k", "shop", "*");
    let whose = |name: &str| resource(name, "production");
    let point = format!(
        r#"{{"name":"integration.queue.depth","gauge":{{"dataPoints":[{{"timeUnixNano":"{NOW}","asInt":"1",
        "attributes":[{{"key":"integration.queue.name","value":{{"stringValue":"q"}}}}]}}]}}}}"#
    );
    let metrics = |name: &str| {
        format!(r#"{{"resourceMetrics":[{{{},"scopeMetrics":[{{"metrics":[{point}]}}]}}]}}"#, whose(name))
    };
    let log = format!(r#"{{"timeUnixNano":"{NOW}","body":{{"stringValue":"x"}}}}"#);
    let logs = |name: &str| {
        format!(r#"{{"resourceLogs":[{{{},"scopeLogs":[{{"logRecords":[{log}]}}]}}]}}"#, whose(name))
    };
    for (signal, of) in [
        (Signal::Metrics, &metrics as &dyn Fn(&str) -> String),
        (Signal::Logs, &logs),
        (Signal::Traces, &|name: &str| spans(&[(name, "production", 1)])),
    ] {
        let ours = by(&shop, signal, &of("shop"));
        assert_eq!((ours.batch.records, ours.rejected), (1, Rejected::default()), "{signal:?}");
        let theirs = by(&shop, signal, &of("crm"));
        assert_eq!((theirs.batch.records, theirs.rejected.outside), (0, 1), "{signal:?}");
        assert_eq!(theirs.batch.observations, Observations::default(), "{signal:?}");
    }
    let report =
        |name: &str| record(&format!("/report/{name}"), "", b"", NOW, &shop, &Limits::default()).unwrap();
    assert_eq!(report("shop").rejected, Rejected::default());
    let theirs = report("crm");
    assert_eq!((theirs.rejected.outside, theirs.batch.records), (1, 0));
    assert!(theirs.rejected.message.contains("it is for crm in default"), "{}", theirs.rejected.message);
}

#[test]
fn a_record_that_names_another_integration_than_its_resource_is_asked_by_its_own_name() {
    let shop = rules("k", "shop", "*");
    let named = |name: &str| {
        spans(&[("shop", "production", 2)]).replacen(
            r#""attributes":[{"key":"server.address""#,
            &format!(
                r#""attributes":[{{"key":"integration.name","value":{{"stringValue":"{name}"}}}},{{"key":"server.address""#
            ),
            1,
        )
    };
    assert_eq!(by(&shop, Signal::Traces, &named("shop")).batch.records, 2);
    let Decoded { batch, rejected } = by(&shop, Signal::Traces, &named("crm"));
    assert_eq!((batch.records, rejected.outside), (1, 1));
}

#[test]
fn an_operators_rule_names_before_a_key_is_asked() {
    let naming = vec![crate::signals::integration::Naming {
        name: "billing".into(),
        peer: Some("api.example.com".into()),
        ..Default::default()
    }];
    let with = |scoped: Arc<Rules>| Arc::new(Rules { naming: naming.clone(), ..(*scoped).clone() });
    let body = spans(&[("worker", "production", 2)]);
    assert_eq!(by(&with(rules("k", "billing", "*")), Signal::Traces, &body).batch.records, 2);
    assert_eq!(by(&with(rules("k", "worker", "*")), Signal::Traces, &body).rejected.outside, 2);
}

#[test]
fn a_claim_is_of_what_was_taken_so_that_nobody_claims_for_others() {
    let body = spans(&[("shop", "production", 1), ("crm", "production", 1)]);
    let claim = |rules: &Arc<Rules>| by(rules, Signal::Traces, &body).batch.hash.unwrap();
    let (shop, crm) = (claim(&rules("a", "shop", "*")), claim(&rules("b", "crm", "*")));
    let whole = claim(&Arc::default());
    assert!(shop != crm && shop != whole && crm != whole);
    assert_eq!(shop, claim(&rules("a-2", "shop", "*")), "its successor's copy is a copy");
    assert_eq!(
        shop,
        claim(&rules("c", "shop*", "production")),
        "what was taken counts, not how the key says it"
    );
    assert_eq!(whole, claim(&rules("d", "*", "prod*")), "taken whole is taken whole");
}
