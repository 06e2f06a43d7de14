//! The JSON mapping of protobuf, with OTLP's exceptions (JSON Protobuf Encoding).

use super::*;

fn taken(server: &Server, path: &str, body: &str) {
    let answer = server.post(path, &[JSON], body);
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"), "{body}");
}

/// Sends one span, and gives it as it is kept.
fn sent(server: &Server, trace: &str, more: &str) -> Value {
    taken(server, "/v1/traces", &span(&ids(trace), more));
    kept(server, trace)
}

fn attribute(value: &str) -> String {
    format!(r#","attributes":[{{"key":"a","value":{value}}}]"#)
}

#[test]
fn j1_ids_are_hex_in_either_case_and_other_bytes_are_base64() {
    let server = server();
    let ids = r#""traceId":"0A0a0000000000000000000000000A01","spanId":"00000000000000AB""#;
    let links = r#","links":[{"traceId":"0B0b0000000000000000000000000B01","spanId":"00000000000000Cd"}]"#;
    let more =
        format!(r#","parentSpanId":"000000000000FFee"{links}{}"#, attribute(r#"{"bytesValue":"+/8="}"#));
    taken(&server, "/v1/traces", &span(ids, &more));
    let kept = kept(&server, "0a0a0000000000000000000000000a01");
    assert_eq!(
        (&kept["span_id"], &kept["parent_span_id"]),
        (&"00000000000000ab".into(), &"000000000000ffee".into())
    );
    assert_eq!(kept["links"][0]["trace_id"], "0b0b0000000000000000000000000b01");
    assert_eq!(kept["links"][0]["span_id"], "00000000000000cd");
    assert_eq!(kept["attributes"]["a"], "fbff");
    // Base64 of sixteen bytes is no id.
    let ids = r#""traceId":"CgoAAAAAAAAAAAAAAAAKAQ==","spanId":"00000000000000ab""#;
    let answer = server.post("/v1/traces", &[JSON], span(ids, ""));
    assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "1");
}

#[test]
fn j2_enums_are_integers_names_are_read_and_unknown_numbers_refuse_nothing() {
    let server = server();
    for (n, kind, code, wanted) in [
        (1, "3", "2", ("client", "error")),
        (2, r#""3""#, r#""2""#, ("client", "error")),
        (3, r#""SPAN_KIND_SERVER""#, r#""STATUS_CODE_OK""#, ("server", "ok")),
        (4, "99", "77", ("unspecified", "unset")),
    ] {
        let more = format!(r#","kind":{kind},"status":{{"code":{code}}}"#);
        let kept = sent(&server, &format!("0000000000000000000000000000020{n}"), &more);
        assert_eq!((kept["kind"].as_str(), kept["status"].as_str()), (Some(wanted.0), Some(wanted.1)));
    }
}

#[test]
fn j3_unknown_fields_are_ignored_at_every_level() {
    let server = server();
    let unknown = r#""zzz":{"a":[1,{"b":null}],"spans":[1]},"#;
    let time = otlp::now();
    let body = format!(
        r#"{{{unknown}"resourceSpans":[{{{unknown}"resource":{{{unknown}"attributes":[]}},"scopeSpans":[{{{unknown}
        "scope":{{{unknown}"name":"s"}},"spans":[{{{unknown}{},"startTimeUnixNano":"{time}",
        "endTimeUnixNano":"{time}","status":{{{unknown}"code":2}},"attributes":[{{{unknown}"key":"a",
        "value":{{{unknown}"stringValue":"v"}}}}]}}]}}]}}]}}"#,
        ids("00000000000000000000000000000301")
    );
    taken(&server, "/v1/traces", &body);
    let kept = kept(&server, "00000000000000000000000000000301");
    assert_eq!((&kept["status"], &kept["attributes"]["a"]), (&"error".into(), &"v".into()));
}

#[test]
fn j4_snake_case_is_an_unknown_field() {
    let server = server();
    let kept = sent(&server, "00000000000000000000000000000401", r#","parent_span_id":"00000000000000ff""#);
    assert!(kept["parent_span_id"].is_null(), "{kept}");
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"trace_id":"1","span_id":"2"}]}]}]}"#;
    let answer = server.post("/v1/traces", &[JSON], body);
    assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "1");
}

#[test]
fn j5_64_bit_integers_are_numbers_or_decimal_strings() {
    let server = server();
    for (n, value) in ["9007199254740993", "\"9007199254740993\""].into_iter().enumerate() {
        let trace = format!("0000000000000000000000000000050{n}");
        let kept = sent(&server, &trace, &attribute(&format!(r#"{{"intValue":{value}}}"#)));
        assert_eq!(kept["attributes"]["a"], "9007199254740993");
    }
    let least = attribute(r#"{"intValue":"-9223372036854775808"}"#);
    let kept = sent(&server, "00000000000000000000000000000509", &least);
    assert_eq!(kept["attributes"]["a"], "-9223372036854775808");
    // Times, counts, buckets, and the integer of a point.
    let (time, number) = (
        otlp::now(),
        |quoted: bool, value: u64| {
            if quoted { format!("\"{value}\"") } else { value.to_string() }
        },
    );
    for (n, quoted) in [(0, false), (1, true)] {
        let n_times = |value| number(quoted, value);
        let body = format!(
            r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"integration.name","value":
            {{"stringValue":"j5"}}}}]}},"scopeMetrics":[{{"metrics":[
            {{"name":"http.client.request.duration","unit":"s","histogram":{{"aggregationTemporality":1,"dataPoints":
              [{{"startTimeUnixNano":{start},"timeUnixNano":{time},"count":{five},"sum":1.5,"bucketCounts":
              [{two},{three}],"explicitBounds":[0.5],"attributes":[{{"key":"server.address","value":
              {{"stringValue":"api.example.com"}}}},{{"key":"http.request.method","value":{{"stringValue":"GET"}}}}
              ]}}]}}}},
            {{"name":"integration.queue.depth","gauge":{{"dataPoints":[{{"timeUnixNano":{time},"asInt":{depth},
              "attributes":[{{"key":"integration.queue.name","value":{{"stringValue":"q"}}}}]}}]}}}}
            ]}}]}}]}}"#,
            start = n_times(time - 1_000_000_000 + n),
            time = n_times(time + n),
            five = n_times(5),
            two = n_times(2),
            three = n_times(3),
            depth = n_times(42 + n),
        );
        taken(&server, "/v1/metrics", &body);
    }
    // The buckets were read, or they would not hold the count and the point would be rejected.
    wait_until("the queue's depth", SOON, || {
        let all = server.json("/api/v1/integrations");
        let row = all["items"].as_array()?.iter().find(|row| row["name"] == "j5")?.clone();
        (row["queue_depth"].as_f64()? == 43.0).then_some(())
    });
}

#[test]
fn j6_null_is_absent_special_doubles_are_strings_and_small_integers_may_be() {
    let server = server();
    let nulls =
        r#","kind":null,"status":null,"attributes":null,"links":null,"events":null,"parentSpanId":null"#;
    let kept = sent(&server, "00000000000000000000000000000601", nulls);
    assert_eq!((&kept["kind"], &kept["status"]), (&"unspecified".into(), &"unset".into()));
    for (n, value, wanted) in [
        (2, r#""NaN""#, "NaN"),
        (3, r#""Infinity""#, "inf"),
        (4, r#""-Infinity""#, "-inf"),
        (5, r#""1.5""#, "1.5"),
    ] {
        let value = attribute(&format!(r#"{{"doubleValue":{value}}}"#));
        let kept = sent(&server, &format!("0000000000000000000000000000060{n}"), &value);
        assert_eq!(kept["attributes"]["a"], wanted);
    }
    taken(&server, "/v1/traces", r#"{"resourceSpans":null}"#);
    let time = otlp::now();
    let point = format!(r#"{{"timeUnixNano":"{time}","asDouble":1,"flags":"0","attributes":null}}"#);
    taken(
        &server,
        "/v1/metrics",
        &format!(
            r#"{{"resourceMetrics":[{{"resource":null,"scopeMetrics":[{{"scope":null,"metrics":[
        {{"name":"m","gauge":{{"dataPoints":[{point}]}}}}]}}]}}]}}"#
        ),
    );
    taken(
        &server,
        "/v1/logs",
        &format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"{time}","severityNumber":"9",
        "body":null}}]}}]}}]}}"#
        ),
    );
}

#[test]
fn j7_empty_values_and_values_of_every_type_are_taken() {
    let server = server();
    let every = r#","attributes":[{"key":"empty","value":{}},{"key":"none"},{"key":"array","value":{"arrayValue":{}}},
        {"key":"map","value":{"kvlistValue":{}}},{"key":"list","value":{"arrayValue":{"values":
        [{"intValue":"1"},{"stringValue":"x"},{},{"boolValue":true},{"kvlistValue":{"values":[{"key":"k"}]}}]}}}]"#;
    let kept = sent(&server, "00000000000000000000000000000701", every);
    let attributes = &kept["attributes"];
    assert_eq!(attributes["array"], "[]");
    assert_eq!(attributes["map"], "{}");
    assert_eq!(attributes["list"], r#"[1,"x",null,true,{"k":null}]"#);
}

#[test]
fn j8_an_invalid_id_rejects_its_span_alone() {
    let server = server();
    let time = otlp::now();
    let spans: Vec<String> = [
        ids("00000000000000000000000000000801"),
        ids("00000000000000000000000000000000"),
        ids("abcd"),
        ids("zz000000000000000000000000000801"),
        r#""traceId":"00000000000000000000000000000802","spanId":"0000000000000000""#.to_owned(),
        r#""traceId":12,"spanId":"00000000000000a1""#.to_owned(),
        r#""name":"no ids""#.to_owned(),
    ]
    .iter()
    .map(|ids| format!(r#"{{{ids},"startTimeUnixNano":"{time}","endTimeUnixNano":"{time}"}}"#))
    .collect();
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","));
    let answer = server.post("/v1/traces", &[JSON], body);
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "6", "{partial}");
    let said = partial["errorMessage"].as_str().unwrap_or("");
    assert!(said.contains("trace id") && said.contains("span id"), "{said}");
    kept(&server, "00000000000000000000000000000801");
}
