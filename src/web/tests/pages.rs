//! Every page from plain values.

use std::slice;
use std::sync::Arc;

use askama::Template;

use super::sample::{self, NOW, fleet, incidents, key};
use crate::alert::incident::{Incident, Severity};
use crate::rollup::window::Part;
use crate::signals::call::Class;
use crate::signals::provider::Providers;
use crate::store::mail::MailState;
use crate::web::load::Loaded;
use crate::web::page::Frame;
use crate::web::period::Period;
use crate::web::view::calls::{self, Seldom};
use crate::web::view::health::{self, Overrides, Sources, State as Health};
use crate::web::{
    MailInfo, OPEN_TO_ALL, RulesView, Settings, incidents as incident_pages, integration, mail, overview,
    runbook, system,
};

const HOSTILE: &str = "\"><script>alert(1)</script>";

fn rules() -> RulesView {
    RulesView {
        runbooks: [("success-rate-low".to_owned(), "# T\n\n## First look\n\nLook <b>here</b>.\n".to_owned())]
            .into(),
        problems: vec!["alerts/x.toml:14:11 no such signal".into()],
        loaded_at: NOW,
        ..RulesView::default()
    }
}

fn frame(incidents: &[Incident], here: &'static str) -> Frame {
    Frame::of(&[OPEN_TO_ALL.to_owned()], &rules(), incidents, here, "Title".into(), NOW)
}

static NO_VENDORS: std::sync::LazyLock<Providers> = std::sync::LazyLock::new(Providers::default);

fn loaded(part: Part, incidents: Vec<Incident>) -> Loaded {
    let period = Period::last(60, NOW);
    let endpoints = calls::endpoints(slice::from_ref(&part), period.from, period.to);
    Loaded {
        endpoints,
        seldom: Seldom::new(),
        window: part.clone(),
        states: Arc::new(part),
        incidents,
        ..Loaded::default()
    }
}

fn sources<'s>(loaded: &'s Loaded, overrides: &'s Overrides) -> Sources<'s> {
    Sources {
        values: &loaded.values,
        endpoints: &loaded.endpoints,
        seldom: &loaded.seldom,
        window: &loaded.window,
        states: &loaded.states,
        incidents: &loaded.incidents,
        overrides,
        providers: &NO_VENDORS,
        now: NOW,
    }
}

fn overview_of(loaded: &Loaded, settings: &Settings) -> String {
    overview_in(loaded, settings, None)
}

fn overview_in(loaded: &Loaded, settings: &Settings, environment: Option<&str>) -> String {
    let sources = sources(loaded, &settings.overrides);
    let parts = slice::from_ref(&loaded.window);
    let pieces = overview::Pieces { hour: parts, day: parts };
    let frame = frame(&loaded.incidents, "overview");
    overview::build(frame, &sources, &pieces, settings, environment).render().unwrap()
}

fn health_of<'s>(sources: &Sources<'s>, name: &str) -> health::Health<'s> {
    health::all(sources).into_iter().find(|one| one.key == key(name)).unwrap()
}

fn integration_of(loaded: &Loaded, name: &str) -> Option<String> {
    let settings = Settings::default();
    let overrides = Overrides::new();
    let shown = integration::Shown { period: Period::last(60, NOW), range: "1h".into() };
    let sources = sources(loaded, &overrides);
    let frame = frame(&loaded.incidents, "integration");
    integration::build(frame, &sources, loaded, &shown, name, None, &settings)
        .map(|page| page.render().unwrap())
}

#[track_caller]
fn in_order(text: &str, wanted: &[&str]) {
    let mut at = 0;
    for want in wanted {
        let found = text[at..].find(want).unwrap_or_else(|| panic!("{want:?} is not where it should be"));
        at += found + want.len();
    }
}

#[test]
fn the_overview_says_who_needs_somebody_and_puts_the_worst_first() {
    let html = overview_of(&loaded(fleet(), incidents()), &Settings::default());
    in_order(
        &html,
        &[
            "<b>Rules not reloaded.</b>",
            "alerts/x.toml:14:11 no such signal",
            OPEN_TO_ALL,
            "<b>Three of seven</b> integrations need somebody.",
            "failing</span>",
            "hubspot-crm</a>",
            "<b>Auth since <time datetime=\"2025-11-24T09:12:30Z\">09:12</time>.</b>",
            "of contact updates answer 401",
            "expired",
            "crm-oauth",
            "shopify-orders</a>",
            "857",
            "of 1,071",
            "degraded</span>",
            "salesforce-nightly</a>",
            "ok</span>",
            "klaviyo-push</a>",
            "sheets-export</a>",
            "renews itself",
            "new</span>",
            "erp-bridge</a>",
        ],
    );
    assert!(!html.contains(" style="), "the policy forbids style attributes");
}

#[test]
fn an_empty_overview_teaches() {
    let settings = Settings { otlp_http: "http://127.0.0.1:4318".into(), ..Settings::default() };
    let html = overview_of(&loaded(Part::default(), Vec::new()), &settings);
    in_order(&html, &["Nothing has arrived yet.", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"]);
}

#[test]
fn an_environment_without_an_integration_is_told_and_not_taken_for_an_empty_server() {
    let html = overview_in(&loaded(fleet(), Vec::new()), &Settings::default(), Some("zzz"));
    in_order(&html, &["All environments", "No integration is in environment zzz."]);
    assert!(!html.contains("Nothing has arrived yet") && !html.contains("Send the first call"));
}

#[test]
fn environments_that_notify_nobody_are_not_in_the_sentence() {
    let settings = Settings { non_production: vec!["production".into()], ..Settings::default() };
    let mut part = Part::default();
    sample::register(&mut part, "a", "", "", "");
    sample::say(&mut part, |seen| {
        seen.integrations.push(crate::signals::observation::IntegrationInfo {
            key: crate::signals::observation::IntegrationKey { environment: "live".into(), name: "a".into() },
            source: String::new(),
            destination: String::new(),
            owner: String::new(),
            tier: String::new(),
            version: String::new(),
        });
    });
    let incident = sample::incident("K7Q2", "a", Severity::Critical, 5);
    let html = overview_of(&loaded(part, vec![incident]), &settings);
    in_order(&html, &["The one integration</b> is well", "live</span>", "production</span>"]);
}

#[test]
fn the_integration_page_has_its_evidence() {
    let html = integration_of(&loaded(fleet(), incidents()), "hubspot-crm").unwrap();
    in_order(
        &html,
        &[
            "<h1>hubspot-crm</h1>",
            "<b>Refused credentials (401, 403) since",
            "HubSpot → CRM",
            "revenue-systems",
            "2 connections",
            "class=\"line bad\"",
            "refused credentials K7Q2",
            "PATCH /crm/v3/objects/contacts/{id}</li>",
            "class=\"heat heat",
            "Calls to peers",
            "refused credentials (401, 403) 1",
            "crm-oauth",
            "never",
            "Queue",
            "1,204 ready",
            "Reconciliation",
            "10,240",
            "Incidents",
            "K7Q2",
        ],
    );
    assert!(!html.contains(" style=") && !html.contains("onclick"));
    assert!(integration_of(&loaded(fleet(), Vec::new()), "nobody").is_none());
}

#[test]
fn what_came_from_outside_is_escaped_on_every_page() {
    let mut part = Part::default();
    sample::register(&mut part, HOSTILE, HOSTILE, HOSTILE, HOSTILE);
    sample::calls(&mut part, HOSTILE, HOSTILE, NOW, Class::Server, 5, 30);
    sample::queue(&mut part, HOSTILE, "integration.queue.depth", NOW, 5.0);
    sample::slot(&mut part, HOSTILE, HOSTILE, "manual", Some(-5));
    sample::reconciliation(&mut part, HOSTILE, 5, 4);
    let mut incident = sample::incident(HOSTILE, HOSTILE, Severity::Critical, 5);
    incident.labels.insert(HOSTILE.into(), HOSTILE.into());
    (incident.title, incident.sentence, incident.cause) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
    incident.evidence = vec![(HOSTILE.into(), HOSTILE.into())];
    let mut letter = sample::mail(HOSTILE, MailState::Deferred);
    (letter.mail.subject, letter.mail.text, letter.error) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
    let info = MailInfo { transport: "file".into(), folder: Some(HOSTILE.into()), from: HOSTILE.into() };
    let all = vec![incident.clone()];
    let loaded = loaded(part, all.clone());
    let pages = [
        overview_of(&loaded, &Settings::default()),
        integration_of(&loaded, HOSTILE).unwrap(),
        incident_pages::listed(frame(&all, "incidents"), all.clone(), "all", NOW).render().unwrap(),
        incident_pages::shown(frame(&all, "incidents"), &incident, &[letter.clone()], &rules(), NOW)
            .render()
            .unwrap(),
        mail::listed(frame(&all, "mail"), &[letter.clone()], &info, NOW).render().unwrap(),
        mail::shown(frame(&all, "mail"), &letter, &info, NOW).render().unwrap(),
        runbook::shown(frame(&all, "runbook"), "success-rate-low", HOSTILE, &all, NOW).render().unwrap(),
        system::build(frame(&all, "system"), &[(HOSTILE.into(), 1)], 5, &rules(), NOW).render().unwrap(),
    ];
    for html in pages {
        assert!(!html.contains("<script>"), "{html}");
        assert!(html.contains("&#60;script&#62;") || html.contains("raw HTML omitted"), "{html}");
    }
}

#[test]
fn an_incident_shows_its_course_and_the_first_steps() {
    let one = sample::incident("K7Q2", "hubspot-crm", Severity::Critical, 48);
    let letters = [sample::mail("m1", MailState::Sent)];
    let html =
        incident_pages::shown(frame(&[], "incidents"), &one, &letters, &rules(), NOW).render().unwrap();
    in_order(
        &html,
        &[
            "Refused credentials (401, 403) since",
            "68.9",
            "still open",
            "First steps",
            "Look",
            "oncall@example.com",
        ],
    );
    assert!(!html.contains("<b>here</b>"), "raw HTML of a runbook is left out");
}

#[test]
fn the_list_of_incidents_can_be_narrowed() {
    let list =
        |state| incident_pages::listed(frame(&[], "incidents"), incidents(), state, NOW).render().unwrap();
    in_order(&list("all"), &["Four incidents are open, one resolved", "M3XA", "P9TR", "A2BC"]);
    assert!(!list("open").contains("A2BC") && !list("resolved").contains("K7Q2"));
}

#[test]
fn the_mail_page_says_plainly_that_nobody_is_told() {
    let info = MailInfo {
        transport: "file".into(),
        folder: Some("data/mail".into()),
        from: "seamwatch@example.com".into(),
    };
    let html = mail::listed(frame(&[], "mail"), &[], &info, NOW).render().unwrap();
    in_order(&html, &["No SMTP server is configured", "data/mail"]);
    let smtp = MailInfo { transport: "smtp".into(), folder: None, ..info.clone() };
    assert!(!mail::listed(frame(&[], "mail"), &[], &smtp, NOW).render().unwrap().contains("No SMTP"));
    let letter =
        mail::shown(frame(&[], "mail"), &sample::mail("m1", MailState::Sent), &info, NOW).render().unwrap();
    in_order(
        &letter,
        &["k7q2.1@", "<iframe class=\"letter\" sandbox src=\"/mail/m1/html\"", "31 % of contact"],
    );
}

#[test]
fn a_mail_that_went_into_a_file_does_not_read_as_sent() {
    let info = MailInfo { from: "seamwatch@example.com".into(), ..MailInfo::default() };
    let mut letter = sample::mail("m1", MailState::Sent);
    letter.detail = "data/mail/20251124T091200Z-K7Q2.eml".into();
    let list = mail::listed(frame(&[], "mail"), &[letter.clone()], &info, NOW).render().unwrap();
    in_order(&list, &["written</span>", "nobody"]);
    assert!(!list.contains("sent</span>"), "{list}");
    let one = mail::shown(frame(&[], "mail"), &letter, &info, NOW).render().unwrap();
    in_order(
        &one,
        &["written</span>", "Seamwatch &#60;seamwatch@example.com&#62;", "To nobody", "<dt>File</dt>"],
    );
    let sent = mail::listed(frame(&[], "mail"), &[sample::mail("m1", MailState::Sent)], &info, NOW);
    assert!(sent.render().unwrap().contains("sent</span>"));
}

#[test]
fn a_resolved_incident_keeps_what_was_wrong_and_says_apart_how_it_ended() {
    let mut one = sample::incident("K7Q2", "hubspot-crm", Severity::Critical, 48);
    one.resolved_at = Some(NOW);
    one.ending = "All 167 calls succeeded at 2025-11-24T10:00:00Z.".into();
    let html = incident_pages::shown(frame(&[], "incidents"), &one, &[], &rules(), NOW).render().unwrap();
    in_order(
        &html,
        &[
            "412 of 1,326 failed",
            "<b>Then.</b> All 167 calls succeeded at <time datetime=\"2025-11-24T10:00:00Z\">",
            "at its worst",
        ],
    );
}

#[test]
fn numbers_of_incidents_are_worded() {
    let list = |all: Vec<Incident>| {
        incident_pages::listed(frame(&[], "incidents"), all, "all", NOW).render().unwrap()
    };
    let open: Vec<Incident> = incidents().into_iter().filter(|one| one.resolved_at.is_none()).collect();
    assert!(list(open.clone()).contains("Four incidents are open, none resolved."));
    assert!(list(open[..1].to_vec()).contains("One incident is open, none resolved."));
}

#[test]
fn a_critical_integration_stands_above_a_standard_one_that_is_as_bad() {
    let mut part = Part::default();
    sample::register(&mut part, "klaviyo-push", "", "", "standard");
    sample::register(&mut part, "shopify-orders", "", "", "critical");
    let incidents =
        ["klaviyo-push", "shopify-orders"].map(|name| sample::incident(name, name, Severity::Critical, 5));
    in_order(
        &overview_of(&loaded(part, incidents.into()), &Settings::default()),
        &["shopify-orders</a>", "klaviyo-push</a>"],
    );
}

#[test]
fn a_runbook_begins_with_its_title_and_the_notices_are_a_landmark() {
    let all = incidents();
    let html =
        runbook::shown(frame(&all, "runbook"), "success-rate-low", "# Success rate low\n\nText.", &all, NOW)
            .render()
            .unwrap();
    in_order(
        &html,
        &["<aside class=\"banners\" aria-label=", "<h1>Success rate low</h1>", "Open now", "Text."],
    );
    assert_eq!(html.matches("<h1").count(), 1);
}

#[test]
fn figures_of_the_system_page_are_sentences() {
    let counters = [("late".into(), 5), ("judged_ago_ms".into(), 2_000), ("folded".into(), 1)];
    let html = system::build(frame(&[], "system"), &counters, 7, &rules(), NOW).render().unwrap();
    in_order(
        &html,
        &["Records of minutes that were judged already", "Since the last minute that the rules judged"],
    );
    for jargon in ["Corridor", "Folded", "folded<", "judged ago", "watermark"] {
        assert!(!html.contains(jargon), "{jargon}");
    }
}

#[test]
fn the_rest_of_the_endpoints_is_explained_and_queues_show_the_age() {
    let mut part = Part::default();
    sample::calls(&mut part, "a", "(other)", NOW, Class::Ok, 10, 30);
    sample::queue(&mut part, "a", "integration.queue.depth", NOW, 5.0);
    sample::queue(&mut part, "a", "integration.queue.oldest_age", NOW, 90.0);
    sample::slot(&mut part, "a", "key", "manual", Some(120));
    let html = integration_of(&loaded(part, Vec::new()), "a").unwrap();
    in_order(
        &html,
        &[
            "counted together as (other)",
            "<rect class=\"left\" width=\"2.00%\"",
            "Age of the oldest ready item",
        ],
    );
}

#[test]
fn states_follow_the_worst_open_incident() {
    let (part, overrides) = (fleet(), Overrides::new());
    let mut resolved = sample::incident("A2BC", "klaviyo-push", Severity::Critical, 50);
    resolved.resolved_at = Some(NOW);
    let mut elsewhere = sample::incident("B3CD", "klaviyo-push", Severity::Critical, 50);
    elsewhere.labels.insert("environment".into(), "sandbox".into());
    let warning = sample::incident("C4DE", "sheets-export", Severity::Warning, 50);
    let loaded = loaded(part, vec![resolved, elsewhere, warning]);
    let sources = sources(&loaded, &overrides);
    assert_eq!(health_of(&sources, "klaviyo-push").state, Health::Ok);
    assert_eq!(health_of(&sources, "sheets-export").state, Health::Degraded);
    assert_eq!(health_of(&sources, "erp-bridge").state, Health::New);
}

#[test]
fn figures_are_summed_after_each_endpoint_is_judged() {
    let mut part = Part::default();
    sample::calls(&mut part, "a", "GET /x", NOW, Class::Ok, 10, 30);
    sample::calls(&mut part, "a", "GET /x", NOW, Class::Throttled, 1, 9);
    sample::calls(&mut part, "a", "GET /y", NOW, Class::Server, 900, 10);
    sample::calls(&mut part, "a", "GET /old", NOW - 3_600_000_000_000 * 3, Class::Server, 1, 99);
    let (loaded, overrides) = (loaded(part, Vec::new()), Overrides::new());
    let one = health_of(&sources(&loaded, &overrides), "a");
    assert_eq!(one.outbound.judged.success_rate(), Some(0.75));
    assert_eq!((one.outbound.judged.operations, one.outbound.judged.attempts), (49.0, 49.0));
    assert!(one.outbound.quantile_us(0.99).unwrap() < 12_000, "failed attempts are not in the percentiles");
}

#[test]
fn an_endpoint_that_only_answers_404_is_judged_by_the_days_before() {
    let mut part = Part::default();
    sample::calls(&mut part, "a", "GET /x", NOW, Class::AmbiguousRead, 10, 40);
    let loaded = loaded(part, Vec::new());
    let suspects = calls::suspects(&loaded.endpoints);
    assert_eq!(suspects.len(), 1);
    let before = |class| {
        let mut part = Part::default();
        sample::calls(&mut part, "a", "GET /x", NOW, class, 10, 100);
        let period = Period::last(60, NOW);
        calls::endpoints(slice::from_ref(&part), period.from, period.to)
    };
    assert_eq!(calls::seldom(&suspects, &before(Class::Ok)).len(), 1, "it is gone");
    assert!(calls::seldom(&suspects, &before(Class::AmbiguousRead)).is_empty(), "it was always so");
    assert!(calls::seldom(&suspects, &calls::Endpoints::new()).is_empty(), "nothing is known of it");
}
