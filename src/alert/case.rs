//! Tests of a rule in its own words: series in, expected states and mails out, on the evaluator that runs live.
//!
//! `ok = "40x10 _x5"` is forty good operations a minute for ten minutes, then none for five; `bad` likewise, with
//! failures evenly among the good ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;

use crate::rollup::window::{Minute, Part};
use crate::signals::call::Class;
use crate::signals::observation::{Call, CallKey, Direction, IntegrationKey, Observations, Source};
use crate::signals::provider::Providers;
use crate::signals::telemetry::Nanos;

use super::document::{Document, Place, Section};
use super::evaluate::{Facts, evaluate};
use super::incident::{Instance, InstanceKey, Phase, Transition};
use super::overlay::Overlays;
use super::rule::{Problem, RuleSet};
use super::threshold::whole_minutes;
use super::tier::Tier;
use super::wording::place;

/// The longest case in minutes: a week and a day.
const LONGEST: u32 = 8 * 24 * 60;
/// Most operations of a series in a minute.
const BUSIEST: u32 = 10_000;

/// How a case went.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// What was not as expected, each a sentence; empty = passed.
    pub failures: Vec<String>,
}

struct Case {
    name: String,
    start: Minute,
    series: Vec<Series>,
    expect: Vec<Expect>,
}

struct Series {
    key: CallKey,
    tier: Tier,
    ok: Vec<u32>,
    bad: Vec<u32>,
    cause: Class,
}

struct Expect {
    at: u32,
    state: Option<Phase>,
    mails: Option<u64>,
    subject_has: Vec<String>,
    threaded: bool,
}

/// Runs the cases of one file. The rule that the file names is judged alone.
pub fn run_cases(rules: &RuleSet, file: &str, text: &str) -> Result<Vec<CaseResult>, Vec<Problem>> {
    let mut document = Document::new(file, text);
    let Some(table) = document.parse() else { return Err(document.finish()) };
    let read = read(&mut document, &Section::root(&table), rules);
    match read {
        Some((rule, cases)) if document.is_clean() => Ok(cases
            .iter()
            .map(|case| CaseResult { name: case.name.clone(), failures: run(&rule, case) })
            .collect()),
        _ => Err(document.finish()),
    }
}

fn run(rules: &RuleSet, case: &Case) -> Vec<String> {
    let tiers = |key: &IntegrationKey| {
        case.series
            .iter()
            .find(|series| series.key.integration == *key)
            .map_or_else(Tier::default, |series| series.tier)
    };
    let mut part = Part::default();
    let mut instances: BTreeMap<InstanceKey, Instance> = BTreeMap::new();
    let mut mails: Vec<Transition> = Vec::new();
    let mut failures = Vec::new();
    let end = case.expect.iter().map(|expect| expect.at).max().unwrap_or(0);
    for minute in 0..end {
        let now = Minute(case.start.0 + i64::from(minute));
        part.absorb(&observations(case, minute, now), now.start());
        let tick = Minute(now.0 + 1);
        part.forget_before(Minute(tick.0 - i64::from(super::check::REACH)));
        let facts = Facts {
            recent: &part,
            values: &[],
            seldom: &|_| None,
            providers: &Providers::default(),
            overlays: &Overlays::default(),
            tiers: &tiers,
            notifies: &|_| true,
        };
        let told = evaluate(rules, &facts, &mut instances, tick).into_iter().filter(|step| step.notify);
        mails.extend(told);
        for expect in case.expect.iter().filter(|expect| expect.at == minute + 1) {
            compare(expect, &instances, &mails, &mut failures);
        }
    }
    failures
}

fn compare(
    expect: &Expect,
    instances: &BTreeMap<InstanceKey, Instance>,
    mails: &[Transition],
    failures: &mut Vec<String>,
) {
    let at = expect.at;
    let badness = |phase: Phase| match phase {
        Phase::Inactive => 0,
        Phase::Pending => 1,
        Phase::Recovering => 2,
        Phase::Firing => 3,
    };
    let state = instances.values().map(|instance| instance.phase).max_by_key(|phase| badness(*phase));
    let state = state.unwrap_or_default();
    if let Some(wanted) = expect.state.filter(|wanted| *wanted != state) {
        failures.push(format!("at {at}m the state is {}, not {}", name_of(state), name_of(wanted)));
    }
    if let Some(wanted) = expect.mails.filter(|wanted| *wanted != mails.len() as u64) {
        failures.push(format!("at {at}m {} mails were written, not {wanted}", mails.len()));
    }
    // A subject is made of where it is and the title.
    let subjects: Vec<String> = mails
        .iter()
        .map(|mail| format!("{} {}", place(&mail.incident.labels), mail.incident.title))
        .collect();
    for wanted in &expect.subject_has {
        if subjects.is_empty() || subjects.iter().any(|subject| !subject.contains(wanted)) {
            failures.push(format!("at {at}m not every subject has \"{wanted}\": {}", subjects.join(" | ")));
        }
    }
    let threads = |mail: Option<&Transition>| mail.map(|mail| mail.incident.id.clone());
    if expect.threaded && (mails.len() < 2 || threads(mails.first()) != threads(mails.last())) {
        failures.push(format!("at {at}m the last mail is not in the thread of the first"));
    }
}

const PHASES: [(&str, Phase); 4] = [
    ("inactive", Phase::Inactive),
    ("pending", Phase::Pending),
    ("firing", Phase::Firing),
    ("recovering", Phase::Recovering),
];

fn name_of(phase: Phase) -> &'static str {
    PHASES.iter().find(|(_, one)| *one == phase).map_or("", |(name, _)| name)
}

/// What the integrations of a case say in one minute.
fn observations(case: &Case, minute: u32, now: Minute) -> Observations {
    let mut seen = Observations::default();
    for (series, one) in case.series.iter().enumerate() {
        seen.series.push(one.key.clone());
        let count = |counts: &[u32]| counts.get(minute as usize).copied().unwrap_or(0);
        let (bad, all) = (u64::from(count(&one.bad)), u64::from(count(&one.ok)) + u64::from(count(&one.bad)));
        for at in 0..all {
            let fails = (at + 1) * bad / all != at * bad / all;
            let offset = Nanos::try_from(at * 60_000_000_000 / all).unwrap_or(0);
            let class = if fails { one.cause } else { Class::Ok };
            let operation = (series as u64) << 48 | u64::from(minute) << 24 | at;
            seen.calls.push(Call::plain(series as u32, now.start() + offset, 100_000, class, operation));
        }
    }
    seen
}

fn read(document: &mut Document<'_>, root: &Section<'_>, rules: &RuleSet) -> Option<(RuleSet, Vec<Case>)> {
    document.keys(root, &["schema", "rule", "start", "interval", "case"], &[]);
    document.integer(root, "schema", 1, 1);
    let (id, place) = document.required(root, "rule", "the id of the rule that is tested")?;
    let rule = rules.rule(id).cloned();
    if rule.is_none() {
        document.problem(&place, format!("rule: there is no rule {id}"));
    }
    document.required(root, "start", "when minute 0 begins, like 2026-03-29T00:30:00Z");
    let start = document.read(root, "start", |text| {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|at| at.timestamp_nanos_opt())
            .ok_or_else(|| format!("\"{text}\" is no RFC 3339 time"))
    });
    document.read(root, "interval", |text| match text {
        "1m" => Ok(()),
        _ => Err("rules are judged once a minute: write \"1m\"".to_owned()),
    });
    let (start, _) = start?;
    let cases = document.sections(root, "case");
    let cases = cases.iter().filter_map(|case| self::case(document, case, Minute::of(start))).collect();
    Some((
        RuleSet {
            rules: vec![rule?],
            runbooks: BTreeMap::new(),
            maintenance: Vec::new(),
            overrides: Vec::new(),
        },
        cases,
    ))
}

fn case(document: &mut Document<'_>, section: &Section<'_>, start: Minute) -> Option<Case> {
    document.keys(section, &["name", "series", "expect"], &["also"]);
    let (name, _) = document.required(section, "name", "a sentence that says what is tested")?;
    let series = document.sections(section, "series");
    let series = series.iter().filter_map(|one| self::series(document, one)).collect();
    let expect = document.sections(section, "expect");
    if expect.is_empty() {
        document.problem(&section.place_of("expect"), "expect is missing: a case without one cannot fail");
    }
    let expect = expect.iter().filter_map(|one| self::expect(document, one)).collect();
    Some(Case { name: name.to_owned(), start, series, expect })
}

fn series(document: &mut Document<'_>, section: &Section<'_>) -> Option<Series> {
    document.keys(section, &["labels", "ok", "bad", "cause"], &[]);
    let labels = document.section(section, "labels")?;
    document.keys(
        &labels,
        &["integration", "environment", "tier", "direction", "peer", "endpoint"],
        &["connection", "credential"],
    );
    document.required(&labels, "integration", "whose calls these are");
    let mut text = |key: &str, default: &str| -> Arc<str> {
        Arc::from(document.string(&labels, key).map_or(default, |(text, _)| text))
    };
    let integration =
        IntegrationKey { environment: text("environment", "default"), name: text("integration", "") };
    let (peer, endpoint) = (text("peer", ""), text("endpoint", ""));
    let direction = document.read(&labels, "direction", |text| match text {
        "outbound" => Ok(Direction::Outbound),
        "inbound" => Ok(Direction::Inbound),
        _ => Err(format!("\"{text}\" is neither outbound nor inbound")),
    });
    let tier = document.read(&labels, "tier", |text| {
        Tier::from_name(text).ok_or_else(|| format!("there is no tier {text}"))
    });
    let cause = document.read(section, "cause", |text| {
        Class::from_name(text).ok_or_else(|| format!("there is no class {text}"))
    });
    let ok = document.read(section, "ok", counts).map_or_else(Vec::new, |(ok, _)| ok);
    let bad = document.read(section, "bad", counts).map_or_else(Vec::new, |(bad, _)| bad);
    let direction = direction.map_or(Direction::Outbound, |(direction, _)| direction);
    Some(Series {
        key: CallKey { integration, direction, peer, endpoint, source: Source::Span },
        tier: tier.map_or_else(Tier::default, |(tier, _)| tier),
        ok,
        bad,
        cause: cause.map_or(Class::Server, |(cause, _)| cause),
    })
}

/// Reads `40x10 _x5`: values by minute, `_` none.
fn counts(text: &str) -> Result<Vec<u32>, String> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let wrong = || format!("\"{word}\" is no VALUExMINUTES, like 40x10 or _x5");
        let (value, minutes) = word.split_once('x').ok_or_else(wrong)?;
        let value: u32 = if value == "_" { 0 } else { value.parse().map_err(|_| wrong())? };
        let minutes: u32 = minutes.parse().map_err(|_| wrong())?;
        if value > BUSIEST || minutes > LONGEST || out.len() > LONGEST as usize {
            return Err(format!("\"{word}\" is too much: at most {BUSIEST} a minute and {LONGEST} minutes"));
        }
        out.extend(std::iter::repeat_n(value, minutes as usize));
    }
    Ok(out)
}

fn expect(document: &mut Document<'_>, section: &Section<'_>) -> Option<Expect> {
    document.keys(section, &["at", "state", "mails", "subject_has", "threaded_to_first"], &["explained_by"]);
    document.required(section, "at", "how long after the start, like \"20m\"");
    let at: Option<(u32, Place)> = document.read(section, "at", |text| match whole_minutes(text)? {
        at if (1..=LONGEST).contains(&at) => Ok(at),
        _ => Err(format!("it must lie from 1 to {LONGEST} minutes after the start")),
    });
    let state = document.read(section, "state", |text| {
        let phase = PHASES.iter().find(|(name, _)| *name == text).map(|(_, phase)| *phase);
        phase.ok_or_else(|| {
            format!("there is no state {text}; there are inactive, pending, firing, recovering")
        })
    });
    let mails = document.integer(section, "mails", 0, 1_000_000);
    let subject_has = document.strings(section, "subject_has").unwrap_or_default();
    let threaded = document.boolean(section, "threaded_to_first").unwrap_or(false);
    Some(Expect {
        at: at?.0,
        state: state.map(|(state, _)| state),
        mails: mails.map(|(mails, _)| mails),
        subject_has: subject_has.into_iter().map(|(text, _)| text.to_owned()).collect(),
        threaded,
    })
}

#[cfg(test)]
mod tests;
