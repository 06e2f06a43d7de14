//! The API's document: every answer has the fields that it names and no others, and a program that makes up requests
//! from it finds nothing that breaks.

use serde_json::Value;

use crate::support::home::Home;
use crate::support::person::{Person, make};
use crate::support::server::Server;
use crate::support::{A_TICK, SOON, clients, story, wait_until};

/// What is wrong with a value by a schema: only what the document uses of JSON Schema.
fn wrong(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let path = name.strip_prefix('#').expect("a reference into the document");
        let schema = document.pointer(path).unwrap_or_else(|| panic!("no {name}"));
        return wrong(document, schema, value, at);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => vec![kind.as_str().unwrap_or_else(|| panic!("no type at {at}: {schema}"))],
    };
    let is_allowed = kinds.contains(&kind) || (kind == "integer" && kinds.contains(&"number"));
    if !is_allowed {
        return vec![format!("{at} is {kind}, not {kinds:?}")];
    }
    let mut problems = Vec::new();
    if schema["enum"].as_array().is_some_and(|names| !names.contains(value)) {
        problems.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    if schema["format"] == "date-time"
        && value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_err())
    {
        problems.push(format!("{at}: {value} is no time"));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        problems.extend(wrong(document, &schema["items"], item, &format!("{at}[{n}]")));
    }
    let Some(fields) = value.as_object() else { return problems };
    let known = schema["properties"].as_object();
    for (name, field) in fields {
        let at = format!("{at}.{name}");
        match (known.and_then(|known| known.get(name)), &schema["additionalProperties"]) {
            (Some(schema), _) => problems.extend(wrong(document, schema, field, &at)),
            (None, Value::Bool(false)) => problems.push(format!("{at} is not in the document")),
            (None, schema @ Value::Object(_)) => problems.extend(wrong(document, schema, field, &at)),
            (None, _) => {}
        }
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    problems.extend(
        required.filter(|name| !fields.contains_key(*name)).map(|name| format!("{at} has no {name}")),
    );
    problems
}

fn held(server: &Server, document: &Value, route: &str, path: &str) -> Vec<String> {
    let answer = server.json(path);
    if let Some(items) = answer.get("items") {
        assert!(items.as_array().is_some_and(|items| !items.is_empty()), "{path} has nothing to compare");
    }
    let schema =
        &document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    wrong(document, schema, &answer, path)
}

#[test]
fn every_answer_has_the_fields_of_the_document_and_no_others() {
    let home = story::quick_home();
    let server = home.start();
    story::fleet(&server);
    story::fail(&server);
    story::incident(&server, "open");
    let document = server.json("/api/v1/openapi.json");
    let of = |name: &str| format!("/api/v1/integrations/{name}");
    let trace = wait_until("a span", SOON, || {
        server.json("/api/v1/traces")["items"][0]["trace_id"].as_str().map(str::to_owned)
    });
    let integrations = server.json("/api/v1/integrations");
    let with_metrics =
        integrations["items"].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str());
    let with_metrics = with_metrics
        .map(|name| format!("{}/metrics", of(name)))
        .find(|path| server.json(path)["items"].as_array().is_some_and(|items| !items.is_empty()))
        .expect("an integration of the fleet sends metrics");
    let errors = server.json("/api/v1/errors");
    let fingerprint = errors["items"][0]["fingerprint"].as_str().expect("an error group");
    let incident = server.json("/api/v1/incidents");
    let evidence =
        format!("/api/v1/incidents/{}/evidence", incident["items"][0]["id"].as_str().expect("an id"));
    wait_until("evidence", A_TICK, || {
        server.json(&evidence)["items"].as_array().filter(|items| items.len() > 1).map(|_| ())
    });
    let silence = serde_json::json!({
        "matchers": { "integration": "other" },
        "reason": "known outage",
        "until": (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339(),
    });
    let origin = format!("http://{}", server.web);
    let made = server.ask("POST", "/api/v1/silences", &[("origin", origin.as_str())], silence.to_string());
    assert_eq!(made.status, 201, "{}", made.text());
    let mut problems = Vec::new();
    for (route, path) in [
        ("/api/v1/integrations", "/api/v1/integrations".to_owned()),
        ("/api/v1/integrations/{name}/endpoints", of(story::INTEGRATION) + "/endpoints"),
        ("/api/v1/integrations/{name}/metrics", with_metrics),
        ("/api/v1/integrations/{name}/changes", of(story::INTEGRATION) + "/changes"),
        ("/api/v1/errors", "/api/v1/errors".to_owned()),
        ("/api/v1/errors/{fingerprint}", format!("/api/v1/errors/{fingerprint}")),
        ("/api/v1/incidents/{id}/evidence", evidence),
        ("/api/v1/traces", "/api/v1/traces".to_owned()),
        ("/api/v1/traces/{trace_id}", format!("/api/v1/traces/{trace}")),
        ("/api/v1/logs", "/api/v1/logs".to_owned()),
        ("/api/v1/incidents", "/api/v1/incidents".to_owned()),
        ("/api/v1/silences", "/api/v1/silences".to_owned()),
        ("/api/v1/system", "/api/v1/system".to_owned()),
    ] {
        problems.extend(held(&server, &document, route, &path));
    }
    let problem = server.get("/api/v1/traces?limit=0").json();
    problems.extend(wrong(&document, &document["components"]["schemas"]["Problem"], &problem, "problem"));
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn requests_made_up_from_the_document_find_nothing_that_breaks() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let fields = [("name", "schemathesis"), ("role", "viewer"), ("days", "1")];
    let page = ada.send(&server, "/account", "/account/tokens", &fields).text();
    let at = page.find("sw_api_").expect("a token");
    let token = page[at..].split('<').next().unwrap_or("");
    let document = home.path().join("openapi.json");
    let text = server.ask(
        "GET",
        "/api/v1/openapi.json",
        &[("authorization", &format!("Bearer {token}"))],
        String::new(),
    );
    std::fs::write(&document, text.body).expect("a file can be written");
    // Bounded, and the same each time. That data which the document allows is taken is left out: times are checked more
    // strictly than a schema says.
    let mut run = clients::python_program("schemathesis");
    run.args([
        "run",
        "--url",
        &format!("http://{}", server.web),
        "--header",
        &format!("Authorization: Bearer {token}"),
    ]);
    run.args([
        "--max-examples",
        "30",
        "--seed",
        "1",
        "--workers",
        "1",
        "--no-color",
        "--phases",
        "examples,coverage,fuzzing",
    ]);
    run.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance"]);
    let output = run.arg(&document).current_dir(home.path()).output().expect("schemathesis can be started");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(server.get("/healthz").status, 200);
}
