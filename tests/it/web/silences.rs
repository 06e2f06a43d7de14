use super::text;
use crate::support::person::{Person, make};
use crate::support::{A_TICK, story, wait_until};

#[test]
fn an_operator_looks_at_an_incident_and_silences_it_and_a_viewer_only_sees_that() {
    let home = story::quick_home().with_rules(&[(
        "maintenance/vendor.toml",
        "schema = 1\nreason = \"The vendor restores its backups.\"\ncron = \"0 2 * * SUN\"\nzone = \"Europe/Berlin\"\nduration = \"90m\"\nwhere = { integration = \"nightly\" }\n",
    )]);
    let server = home.start();
    story::fail(&server);
    let code = story::incident(&server, "open")["code"].as_str().expect("a code").to_owned();
    make(&home, "otto", "operator");
    make(&home, "vera", "viewer");
    let (otto, vera) = (Person::sign_in(&server, "otto"), Person::sign_in(&server, "vera"));
    let incident = format!("/incidents/{code}");
    let read = |who: &Person, path: &str| text(&who.get(&server, path).text());

    assert!(!vera.get(&server, &incident).text().contains("<form class=\"fields"), "nothing to act with");
    let acted = otto.send(
        &server,
        &incident,
        &format!("{incident}/acknowledge"),
        &[("note", "mine"), ("hours", "4")],
    );
    assert_eq!(acted.status, 303, "{}", acted.text());
    assert!(read(&vera, &incident).contains("otto looks at it"));
    assert_eq!(otto.send(&server, &incident, &format!("{incident}/release"), &[]).status, 303);
    assert!(!read(&vera, &incident).contains("otto looks at it"));

    let form = format!("/silences?incident={code}");
    let page = read(&otto, &form);
    assert!(
        page.contains("It hides one open incident") && page.contains("integration=stripe-accounting"),
        "{page}"
    );
    for wanted in
        ["vendor", "The vendor restores its backups.", "02:00 Europe/Berlin", "UTC), for 1 h 30 min"]
    {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
    let fields = |reason: &'static str, what: &'static str| {
        [("matchers", "integration=stripe-accounting"), ("reason", reason), ("hours", "1"), ("do", what)]
    };
    let preview = otto.send(&server, "/silences", "/silences", &fields("", "preview"));
    assert!(text(&preview.text()).contains("It hides one open incident"), "{}", preview.text());
    let short = otto.send(&server, "/silences", "/silences", &fields("no", "make"));
    assert!(short.status == 422 && short.text().contains("Say why"), "{}", short.text());
    let made = otto.send(&server, "/silences", "/silences", &fields("known, being mended", "make"));
    assert_eq!(made.status, 303, "{}", made.text());
    let list = read(&vera, "/silences");
    assert!(list.contains("One silence stands.") && list.contains("known, being mended"), "{list}");
    wait_until("the incident says what withholds it", A_TICK, || {
        read(&vera, &incident).contains("Not mailed: silenced by otto (known, being mended)").then_some(())
    });
    assert_eq!(otto.send(&server, "/silences", "/silences/1/end", &[]).status, 303);
    assert!(read(&vera, "/silences").contains("Nothing is silenced."));
    assert_eq!(otto.send(&server, "/silences", "/silences/1/end", &[]).status, 409, "it has ended");
    assert_eq!(otto.get(&server, "/silences?incident=ZZZZ").status, 404);
}

#[test]
fn the_api_makes_and_ends_silences_for_operators() {
    let home = story::quick_home();
    let server = home.start();
    let body = |until: &str| {
        format!(
            "{{\"matchers\":{{\"integration\":\"crm\"}},\"reason\":\"known outage\",\"until\":\"{until}\"}}"
        )
    };
    let soon = chrono::Utc::now() + chrono::TimeDelta::hours(2);
    let origin = format!("http://{}", server.web);
    let post = |body: String| server.ask("POST", "/api/v1/silences", &[("origin", origin.as_str())], body);
    let made = post(body(&soon.to_rfc3339()));
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!((&made["active"], &made["reason"]), (&true.into(), &"known outage".into()));
    assert_eq!(post(body("tomorrow")).status, 400);
    assert_eq!(post(body("2020-01-01T00:00:00Z")).status, 422);
    assert_eq!(post("{}".into()).status, 400);
    let id = made["id"].as_i64().expect("a number");
    let end = |id: i64| {
        server
            .ask("DELETE", &format!("/api/v1/silences/{id}"), &[("origin", origin.as_str())], String::new())
            .status
    };
    assert_eq!([end(id), end(id), end(99)], [204, 404, 404]);
    assert_eq!(server.json("/api/v1/silences")["items"][0]["active"], false);
    let foreign = server.ask(
        "POST",
        "/api/v1/silences",
        &[("origin", "https://evil.example")],
        body(&soon.to_rfc3339()),
    );
    assert_eq!(foreign.status, 403, "another site's page");
}
