//! The quiet month: each benign event of the catalogue, and nobody is told.

use super::Stage;
use crate::health::trial::{Said, outbound, whose};
use crate::rollup::window::Minute;
use crate::signals::call::Class;

const DAY: i64 = 24 * 60;

fn hour(now: Minute) -> i64 {
    now.0.div_euclid(60).rem_euclid(24)
}

#[test]
fn answers_that_look_like_failures_and_are_none() {
    let mut stage = Stage::new(&["crm"]);
    let say = |now: Minute, said: &mut Said| {
        // Upserts that mostly conflict, look-ups that mostly find nothing.
        said.calls(now, &outbound("crm", "api.hubapi.com", "POST /upsert"), Class::Ok, 2);
        said.calls(now, &outbound("crm", "api.hubapi.com", "POST /upsert"), Class::AmbiguousWrite, 8);
        said.calls(now, &outbound("crm", "api.hubapi.com", "GET /lookup/{id}"), Class::Ok, 2);
        said.calls(now, &outbound("crm", "api.hubapi.com", "GET /lookup/{id}"), Class::AmbiguousRead, 8);
        // Six calls an hour, 40 % of them 404.
        if now.0 % 10 == 0 {
            let class = if now.0 % 50 < 20 { Class::AmbiguousRead } else { Class::Ok };
            said.calls(now, &outbound("crm", "api.hubapi.com", "GET /rare"), class, 1);
        }
    };
    stage.before(2 * DAY, say);
    stage.minutes(DAY, say);
    stage.nothing_was_told();
}

#[test]
fn a_paced_backfill_that_meets_429s_and_finishes() {
    let mut stage = Stage::new(&["crm"]);
    let steady = |now: Minute, said: &mut Said| {
        said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Ok, 10);
    };
    stage.before(DAY, steady);
    stage.minutes(60, steady);
    stage.minutes(120, |now, said| {
        steady(now, said);
        let key = outbound("crm", "api.hubapi.com", "POST /import");
        said.calls(now, &key, Class::Throttled, 30);
        for call in said.calls(now, &key, Class::Ok, 70) {
            if call % 7 < 3 {
                said.seen.calls[call].supersedes = Some(Class::Throttled);
            }
        }
    });
    stage.minutes(60, steady);
    stage.nothing_was_told();
}

#[test]
fn one_failure_of_two_calls_at_night_and_a_new_endpoint_with_three_calls() {
    let mut stage = Stage::new(&["crm"]);
    let say = |now: Minute, said: &mut Said| {
        if (8..18).contains(&hour(now)) {
            said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Ok, 6);
        } else if now.0 % 240 == 0 {
            said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Ok, 1);
        } else if now.0 % 240 == 1 && hour(now) == 0 {
            said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Server, 1);
        }
    };
    stage.before(3 * DAY, say);
    stage.minutes(2 * DAY, say);
    stage.minutes(60, |now, said| {
        say(now, said);
        if now.0 % 20 == 0 {
            let class = if now.0 % 60 == 0 { Class::Server } else { Class::Ok };
            said.calls(now, &outbound("crm", "api.hubapi.com", "POST /brand-new"), class, 1);
        }
    });
    stage.nothing_was_told();
}

#[test]
fn a_deploy_restart_and_a_sandbox_that_fails_all_day() {
    let mut stage = Stage::new(&["crm"]);
    let sandbox = || {
        let mut key = outbound("crm", "api.hubapi.com", "GET /contacts");
        key.integration.environment = "sandbox".into();
        key
    };
    let say = |now: Minute, said: &mut Said| {
        // A gap of two minutes each day at ten.
        if !(hour(now) == 10 && now.0 % 60 < 2) {
            said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Ok, 50);
        }
        said.calls(now, &sandbox(), Class::Server, 20);
    };
    stage.before(3 * DAY, say);
    stage.minutes(DAY, say);
    stage.nothing_was_told();
}

#[test]
fn queues_that_keep_up() {
    let mut stage = Stage::new(&["crm"]);
    let say = |now: Minute, said: &mut Said| {
        said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Ok, 10);
        let queue =
            |name: &'static str| [("integration.queue.name", name), ("integration.queue.state", "ready")];
        // 600 at ten thousand a minute, and a bulk that is drained in twelve minutes each noon.
        said.gauge(now, &whose("crm"), "integration.queue.depth", &queue("fast"), 600.0);
        let since_noon = now.0.rem_euclid(DAY) - 12 * 60;
        let bulk = if (0..12).contains(&since_noon) { 12_000.0 - 1_000.0 * since_noon as f64 } else { 5.0 };
        said.gauge(now, &whose("crm"), "integration.queue.depth", &queue("bulk"), bulk);
        let age = if (0..12).contains(&since_noon) { 60.0 * since_noon as f64 } else { 3.0 };
        said.gauge(
            now,
            &whose("crm"),
            "integration.queue.oldest_age",
            &[("integration.queue.name", "bulk")],
            age,
        );
        let delayed = [("integration.queue.name", "bulk"), ("integration.queue.state", "delayed")];
        said.gauge(now, &whose("crm"), "integration.queue.depth", &delayed, 4_000.0);
    };
    stage.before(8 * DAY, say);
    stage.minutes(2 * DAY, say);
    stage.nothing_was_told();
}

#[test]
fn office_hours_and_nights_without_a_call() {
    let mut stage = Stage::new(&["crm"]);
    let say = |now: Minute, said: &mut Said| {
        let weekday = now.0.div_euclid(DAY).rem_euclid(7);
        let office = (8..18).contains(&hour(now)) && weekday != 2 && weekday != 3;
        if office {
            said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Ok, 4);
        }
        let labels = [
            ("integration.webhook.provider", "stripe"),
            ("integration.webhook.event_type", "invoice.paid"),
            ("integration.webhook.result", "accepted"),
        ];
        if office && now.0 % 3 == 0 {
            said.count(now, &whose("crm"), "integration.webhook.deliveries", &labels, 1.0);
        }
    };
    stage.before(35 * DAY, say);
    stage.minutes(3 * DAY, say);
    stage.nothing_was_told();
}
