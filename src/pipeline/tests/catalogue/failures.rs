//! Each failure of the catalogue.

use std::sync::Arc;

use super::Stage;
use crate::health::trial::{Said, outbound, whose};
use crate::rollup::window::Minute;
use crate::signals::call::Class;
use crate::signals::credential::empty;
use crate::signals::fact::{self, Fact, RefreshFailed};
use crate::signals::observation::{CallKey, Direction, ReconciliationRun};
use crate::signals::provider::{Citation, Delivery, Length, Provider, Providers};
use crate::signals::reconciliation;

const DAY: i64 = 24 * 60;

/// Ordinary traffic: reads and writes that succeed.
fn well(now: Minute, said: &mut Said) {
    said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Ok, 12);
    said.calls(now, &outbound("crm", "api.hubapi.com", "POST /contacts"), Class::Ok, 6);
}

/// The same traffic, ending in a class.
fn ending(class: Class) -> impl Fn(Minute, &mut Said) {
    move |now, said| {
        said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), class, 12);
        said.calls(now, &outbound("crm", "api.hubapi.com", "POST /contacts"), class, 6);
    }
}

fn stage() -> Stage {
    let mut stage = Stage::new(&["crm"]);
    stage.before(DAY, well);
    stage.minutes(90, well);
    stage
}

#[test]
fn an_endpoint_that_fails() {
    let mut stage = stage();
    let one_fails = |now: Minute, said: &mut Said| {
        said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::Ok, 12);
        said.calls(now, &outbound("crm", "api.hubapi.com", "POST /contacts"), Class::Server, 6);
    };
    stage.fires("success-rate-low", 12, one_fails);
    stage.resolves("success-rate-low", 40, well);
}

#[test]
fn an_endpoint_that_is_gone() {
    let mut stage = stage();
    let gone = |now: Minute, said: &mut Said| {
        said.calls(now, &outbound("crm", "api.hubapi.com", "GET /contacts"), Class::AmbiguousRead, 12);
        said.calls(now, &outbound("crm", "api.hubapi.com", "POST /contacts"), Class::Ok, 6);
    };
    stage.fires("success-rate-low", 12, gone);
    stage.resolves("success-rate-low", 40, well);
}

#[test]
fn an_outage_at_forty_calls_an_hour() {
    let at = |now: Minute, said: &mut Said, class: Class| {
        if now.0 % 3 == 0 {
            said.calls(now, &outbound("crm", "api.hubapi.com", "POST /contacts"), class, 2);
        }
    };
    let mut stage = Stage::new(&["crm"]);
    stage.before(DAY, |now, said| at(now, said, Class::Ok));
    stage.minutes(120, |now, said| at(now, said, Class::Ok));
    stage.fires("success-rate-low", 15, |now, said| at(now, said, Class::Server));
    stage.resolves("success-rate-low", 90, |now, said| at(now, said, Class::Ok));
}

#[test]
fn an_outage_at_one_call_an_hour() {
    let at = |now: Minute, said: &mut Said, class: Class| {
        if now.0 % 60 == 0 {
            said.calls(now, &outbound("crm", "api.hubapi.com", "POST /contacts"), class, 1);
        }
    };
    let mut stage = Stage::new(&["crm"]);
    stage.before(DAY, |now, said| at(now, said, Class::Ok));
    stage.minutes(600, |now, said| at(now, said, Class::Ok));
    stage.fires("success-rate-low", 360, |now, said| at(now, said, Class::Server));
    stage.resolves("success-rate-low", 400, |now, said| at(now, said, Class::Ok));
}

#[test]
fn a_quota_that_refuses_all_calls() {
    let mut stage = stage();
    stage.fires("throttled", 12, ending(Class::Throttled));
    stage.resolves("throttled", 60, well);
}

#[test]
fn a_service_account_that_is_revoked_though_unexpired() {
    let mut stage = stage();
    stage.fires("credential-refresh-failed", 20, ending(Class::Auth));
    stage.resolves("credential-refresh-failed", 60, well);
}

/// A slot that says when it expires and was refreshed at a minute.
fn slot(said: &mut Said, now: Minute, refreshed: i64, life: i64) {
    let mut update = empty(whose("crm"), "crm-oauth", now.start());
    update.kind = Some("access_token".into());
    update.renewal = Some("automatic".into());
    update.last_refreshed_at = Some(refreshed * 60);
    update.expires_at = Some((refreshed + life) * 60);
    said.seen.slots.push(update);
}

fn refresh_failed(said: &mut Said, now: Minute, error: &str) {
    let failed = RefreshFailed {
        credential: Arc::from("crm-oauth"),
        kind: "refresh_token".into(),
        error: error.into(),
    };
    said.seen.facts.push(Fact {
        integration: whose("crm"),
        time: now.start() + 5_000_000_000,
        said: fact::Said::RefreshFailed(failed),
    });
}

/// A token of an hour that is refreshed every forty minutes.
fn refreshing(now: Minute, said: &mut Said) {
    well(now, said);
    slot(said, now, now.0 - now.0.rem_euclid(40), 60);
}

fn with_token() -> Stage {
    let mut stage = Stage::new(&["crm"]);
    stage.before(DAY, refreshing);
    stage.minutes(120, refreshing);
    stage
}

#[test]
fn a_refresh_that_is_refused_for_good() {
    let mut stage = with_token();
    let last = stage.trial.now.0 - stage.trial.now.0.rem_euclid(40);
    stage.fires("credential-refresh-failed", 2, move |now, said| {
        well(now, said);
        slot(said, now, last, 60);
        refresh_failed(said, now, "invalid_grant");
    });
    stage.resolves("credential-refresh-failed", 60, |now, said| {
        well(now, said);
        slot(said, now, now.0 - 1, 60);
    });
}

#[test]
fn a_vendor_that_fails_for_three_integrations_is_one_mail() {
    let names = ["crm", "billing", "support"];
    let all = |class: Class| {
        move |now: Minute, said: &mut Said| {
            for name in names {
                said.calls(now, &outbound(name, "api.vendor.com", "GET /things"), class, 6);
                said.calls(now, &outbound(name, "api.vendor.com", "POST /things"), class, 6);
                said.calls(now, &outbound(name, "api.other.com", "GET /well"), Class::Ok, 6);
            }
        }
    };
    let mut stage = Stage::new(&names);
    stage.before(DAY, all(Class::Ok));
    stage.minutes(90, all(Class::Ok));
    stage.fires("vendor-outage", 7, all(Class::Server));
    stage.resolves("vendor-outage", 60, all(Class::Ok));
}

#[test]
fn one_customer_of_many_is_dead() {
    let customers = |dead: bool| {
        move |now: Minute, said: &mut Said| {
            for at in 0..60u64 {
                let name = said.name(&format!("customer-{at}"));
                let class = if dead && at == 7 { Class::Server } else { Class::Ok };
                for call in said.calls(now, &outbound("crm", "api.hubapi.com", "PUT /orders/{id}"), class, 1)
                {
                    said.seen.calls[call].connection = Some(name);
                    said.seen.calls[call].operation ^= at << 48;
                }
            }
        }
    };
    let mut stage = Stage::new(&["crm"]);
    stage.before(DAY / 4, customers(false));
    stage.minutes(60, customers(false));
    stage.fires("connection-failing", 20, customers(true));
    stage.resolves("connection-failing", 30, customers(false));
}

fn delivered(said: &mut Said, now: Minute, result: &str, reason: &str, count: f64) {
    let mut labels = vec![
        ("integration.webhook.provider", "stripe"),
        ("integration.webhook.event_type", "invoice.paid"),
        ("integration.webhook.result", result),
    ];
    if !reason.is_empty() {
        labels.push(("integration.webhook.reason", reason));
    }
    said.count(now, &whose("crm"), "integration.webhook.deliveries", &labels, count);
}

#[test]
fn a_webhook_secret_that_the_vendor_rotated() {
    let come = |result: &'static str, reason: &'static str| {
        move |now: Minute, said: &mut Said| {
            well(now, said);
            delivered(said, now, result, reason, 4.0);
        }
    };
    let mut stage = Stage::new(&["crm"]);
    stage.before(DAY, come("accepted", ""));
    stage.minutes(60, come("accepted", ""));
    stage.fires("webhook-rejects", 10, come("rejected", "bad_signature"));
    stage.resolves("webhook-rejects", 180, come("accepted", ""));
}

#[test]
fn a_storm_of_duplicates() {
    let come = |duplicates: f64| {
        move |now: Minute, said: &mut Said| {
            well(now, said);
            delivered(said, now, "accepted", "", 10.0);
            delivered(said, now, "duplicate", "", duplicates);
        }
    };
    let mut stage = Stage::new(&["crm"]);
    stage.before(15 * DAY, come(0.0));
    stage.minutes(60, come(0.0));
    stage.fires("webhook-duplicates", 12, come(5.0));
    stage.resolves("webhook-duplicates", 120, come(0.0));
}

/// Deliveries by day and night, each written, but for one in `drop`.
fn writing(drop: u64) -> impl Fn(Minute, &mut Said) {
    move |now, said| {
        let night = now.0.div_euclid(60).rem_euclid(24) < 6;
        let count: u64 = if night { 2 } else { 10 };
        delivered(said, now, "accepted", "", count as f64);
        let lost = (0..count)
            .filter(|at| drop > 0 && (now.0 as u64 * count + at).is_multiple_of(drop))
            .count() as u64;
        said.calls(now, &outbound("crm", "api.erp.example", "POST /orders"), Class::Ok, count - lost);
        said.calls(now, &outbound("crm", "api.erp.example", "GET /stock"), Class::Ok, 3);
    }
}

#[test]
fn every_fifth_accepted_event_is_never_written_and_every_status_is_green() {
    let mut stage = Stage::new(&["crm"]);
    stage.before(15 * DAY, writing(0));
    stage.minutes(180, writing(0));
    stage.fires("writes-ratio", 180, writing(5));
    stage.resolves("writes-ratio", 240, writing(0));
}

#[test]
fn a_handler_that_is_slower_than_the_vendor_waits() {
    let inbound =
        || CallKey { direction: Direction::Inbound, ..outbound("crm", "", "POST /webhooks/stripe") };
    let handled = |us: u64| {
        move |now: Minute, said: &mut Said| {
            well(now, said);
            delivered(said, now, "accepted", "", 12.0);
            for call in said.calls(now, &inbound(), Class::Ok, 12) {
                said.seen.calls[call].duration_us = us;
            }
        }
    };
    let mut stage = Stage::new(&["crm"]);
    let wait = Length { said: "20 s".into(), seconds: 20 };
    let delivery = Delivery { answer_within: wait, cited: Citation::default() };
    let vendor = Provider { id: "stripe".into(), delivery: Some(delivery), ..Provider::default() };
    stage.trial.context.providers = Arc::new(Providers::new(vec![vendor]));
    stage.before(DAY, handled(50_000));
    stage.minutes(60, handled(50_000));
    stage.fires("webhook-slow", 15, handled(19_500_000));
    stage.resolves("webhook-slow", 60, handled(50_000));
}

fn reconciled(now: Minute, expected: u64, missing: u64) -> ReconciliationRun {
    let run = reconciliation::of(whose("crm"), "orders", "order", &format!("{}", now.0), now.start());
    ReconciliationRun {
        window: Some(((now.0 - DAY) * 60, now.0 * 60)),
        expected,
        matched: expected - missing,
        missing: Some(missing),
        ..run
    }
}

#[test]
fn four_missing_of_two_hundred_at_the_critical_tier_and_mondays_gap_stays_open() {
    let mut stage = Stage::new(&["crm"]).of_tier("critical");
    stage.before(DAY, well);
    stage.minutes(30, well);
    let first = stage.trial.now;
    stage.fires("reconciliation-gap", 2, move |now, said| {
        well(now, said);
        if now == first {
            said.seen.reconciliations.push(reconciled(now, 200, 4));
        }
    });
    // Tuesday's clean run covers another window: Monday's gap is not healed by it.
    let second = Minute(first.0 + DAY);
    stage.minutes(second.0 - stage.trial.now.0, well);
    stage.minute(|now, said| {
        well(now, said);
        said.seen.reconciliations.push(reconciled(now, 200, 0));
    });
    stage.minutes(30, well);
    assert_eq!(stage.told.len(), 1, "{:#?}", stage.words());
    // The same window again, clean.
    let again = stage.trial.now;
    stage.resolves("reconciliation-gap", 5, move |now, said| {
        well(now, said);
        if now == again {
            let run = reconciled(first, 200, 0);
            said.seen.reconciliations.push(ReconciliationRun {
                time: now.start(),
                run_id: "again".into(),
                ..run
            });
        }
    });
}

#[test]
fn amounts_that_differ_while_counts_agree() {
    let mut stage = Stage::new(&["crm"]);
    stage.before(DAY, well);
    stage.minutes(30, well);
    let first = stage.trial.now;
    stage.fires("reconciliation-gap", 2, move |now, said| {
        well(now, said);
        if now == first {
            let run = reconciled(now, 200, 0);
            said.seen.reconciliations.push(ReconciliationRun {
                amount_expected: Some(1_000.0),
                amount_matched: Some(990.0),
                ..run
            });
        }
    });
}
