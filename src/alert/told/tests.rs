use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::evaluate::{Facts, evaluate};
use super::super::incident::{Change, Instance, InstanceKey, Transition};
use super::super::overlay::{Ack, Overlays, Silence, Withheld};
use super::super::parse::parse;
use super::super::rule::RuleSet;
use super::super::tier::Tier;
use crate::health::value::Value;
use crate::rollup::window::{Minute, Part};
use crate::signals::call::Class;
use crate::signals::observation::{Call, CallKey, Direction, IntegrationKey, Observations, Source};
use crate::signals::signal::Signal;

const LOW: &str = r#"
schema   = 1
id       = "success-rate-low"
title    = "{peer} {endpoint} success rate"
runbook  = "success-rate-low.md"
severity = "critical"
signal   = "call.success_rate"
by       = ["integration", "environment", "direction", "peer", "endpoint"]
window   = "5m"
for      = "2m"
keep_firing_for = "2m"
fire     = "< 90 %"
resolve  = ">= 95 %"
min_count = 20
min_bad   = 3
explained_by = ["work-silent"]
group_by = ["integration", "environment", "peer"]
repeat   = "60m"
escalate = "15m"
"#;

const SILENT: &str = r#"
schema   = 1
id       = "work-silent"
title    = "{integration} is silent"
runbook  = "work-silent.md"
severity = "warning"
signal   = "work.missed"
by       = ["integration", "environment"]
for      = "5m"
fire     = ">= 14"
resolve  = "<= 0"
"#;

const START: i64 = 29_000_000;

fn integration() -> IntegrationKey {
    IntegrationKey { environment: "production".into(), name: "crm".into() }
}

struct Ground {
    rules: RuleSet,
    part: Part,
    overlays: Overlays,
    missed: Option<f64>,
    instances: BTreeMap<InstanceKey, Instance>,
    minute: i64,
    told: Vec<(i64, Transition)>,
}

impl Ground {
    fn new(texts: &[(&str, &str)]) -> Ground {
        let mut rules: Vec<_> = texts.iter().map(|(name, text)| parse(name, text).unwrap()).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        let rules = RuleSet { rules, ..RuleSet::default() };
        Ground {
            rules,
            part: Part::default(),
            overlays: Overlays::default(),
            missed: None,
            instances: BTreeMap::new(),
            minute: START,
            told: Vec::new(),
        }
    }

    /// Minutes in which each endpoint has so many good and so many failed calls.
    fn minutes(&mut self, count: i64, endpoints: &[(&str, u64, u64)]) -> &mut Ground {
        for _ in 0..count {
            let now = Minute(self.minute);
            let mut seen = Observations::default();
            for (at, (endpoint, good, bad)) in (0u32..).zip(endpoints) {
                seen.series.push(CallKey {
                    integration: integration(),
                    direction: Direction::Outbound,
                    peer: "api.example".into(),
                    endpoint: Arc::from(*endpoint),
                    source: Source::Span,
                });
                for n in 0..good + bad {
                    let class = if n < *good { Class::Ok } else { Class::Server };
                    let operation = (self.minute as u64) << 32 | u64::from(at) << 16 | n;
                    seen.calls.push(Call::plain(at, now.start() + 1 + n as i64, 1_000, class, operation));
                }
            }
            self.part.absorb(&seen, now.start());
            self.minute += 1;
            self.tick();
        }
        self
    }

    fn tick(&mut self) {
        let tick = Minute(self.minute);
        let values: Vec<Value> = self
            .missed
            .map(|missed| Value::of(Signal::WorkMissed, &integration(), missed, tick.start()))
            .into_iter()
            .collect();
        let facts = Facts {
            recent: &self.part,
            values: &values,
            tiers: &|_| Tier::default(),
            seldom: &|_| None,
            providers: &crate::signals::provider::Providers::default(),
            overlays: &self.overlays,
            notifies: &|_| true,
        };
        let steps = evaluate(&self.rules, &facts, &mut self.instances, tick);
        let minute = self.minute - START;
        self.told.extend(steps.into_iter().filter(|step| step.notify).map(|step| (minute, step)));
    }

    /// (rule, endpoint or empty, what was told, how many others were listed), in order, since this was asked last.
    fn told(&mut self) -> Vec<(String, String, Change, usize)> {
        let told = std::mem::take(&mut self.told);
        told.into_iter()
            .map(|(_, step)| {
                let endpoint = step.incident.labels.get("endpoint").cloned().unwrap_or_default();
                (step.incident.rule.to_string(), endpoint, step.change, step.incident.also.len())
            })
            .collect()
    }

    fn withheld(&self) -> Vec<Option<Withheld>> {
        let open = self.instances.values().filter_map(|instance| instance.incident.as_ref());
        open.filter(|incident| incident.resolved_at.is_none()).map(|one| one.withheld.clone()).collect()
    }
}

fn low(endpoint: &str, change: Change, also: usize) -> (String, String, Change, usize) {
    ("success-rate-low".into(), endpoint.into(), change, also)
}

#[test]
fn alerts_of_a_group_are_told_by_the_first_and_their_end_when_all_are_over() {
    let mut ground = Ground::new(&[("success-rate-low.toml", LOW)]);
    let (bad, good) = (("GET /a", 0, 30), ("GET /a", 300, 0));
    ground.minutes(4, &[bad, ("GET /b", 0, 30)]);
    assert_eq!(ground.told(), [low("GET /a", Change::Fired, 1)], "one mail that lists the other");
    ground.minutes(8, &[bad, ("GET /b", 0, 30), ("GET /c", 0, 30)]);
    assert_eq!(ground.told(), [low("GET /a", Change::Joined, 2)], "the third is told five minutes later");
    ground.minutes(9, &[good, ("GET /b", 300, 0), ("GET /c", 0, 30)]);
    assert_eq!(ground.told(), [], "one goes on, so it is not over");
    ground.minutes(9, &[good, ("GET /b", 300, 0), ("GET /c", 300, 0)]);
    assert_eq!(ground.told(), [low("GET /a", Change::Resolved, 0)]);
    ground.minutes(60, &[good]);
    assert_eq!((ground.told(), ground.instances.len()), (vec![], 0), "nothing is left");
}

#[test]
fn what_a_silence_withholds_is_told_when_it_ends() {
    let mut ground = Ground::new(&[("success-rate-low.toml", LOW)]);
    ground.overlays.silences.push(Silence {
        id: 1,
        matchers: BTreeMap::from([("integration".into(), "crm".into())]),
        author: "operator".into(),
        reason: "a known outage".into(),
        from: Minute(START).start(),
        until: Minute(START + 20).start(),
    });
    ground.minutes(19, &[("GET /a", 0, 30)]);
    assert_eq!(ground.told(), []);
    assert!(matches!(&ground.withheld()[..], [Some(Withheld::Silence { id: 1, .. })]));
    ground.minutes(1, &[("GET /a", 0, 30)]);
    assert_eq!(ground.told(), [low("GET /a", Change::Fired, 0)], "it still stands");
    assert_eq!(ground.withheld(), [None]);
}

#[test]
fn an_end_within_a_silence_is_not_told() {
    let mut ground = Ground::new(&[("success-rate-low.toml", LOW)]);
    ground.minutes(5, &[("GET /a", 0, 30)]);
    assert_eq!(ground.told(), [low("GET /a", Change::Fired, 0)]);
    ground.overlays.silences.push(Silence {
        id: 1,
        matchers: BTreeMap::from([("rule".into(), "success-rate-low".into())]),
        author: "operator".into(),
        reason: "a known outage".into(),
        from: 0,
        until: Minute(START + 500).start(),
    });
    ground.minutes(20, &[("GET /a", 300, 0)]);
    assert_eq!((ground.told(), ground.withheld().len()), (vec![], 0));
}

#[test]
fn a_cause_that_is_about_to_fire_explains_and_stays_told_alone() {
    let mut ground = Ground::new(&[("success-rate-low.toml", LOW), ("work-silent.toml", SILENT)]);
    ground.missed = Some(20.0);
    ground.minutes(4, &[("GET /a", 0, 30)]);
    assert_eq!(ground.told(), [], "the cause is pending, and that is enough");
    assert!(
        matches!(&ground.withheld()[..], [Some(Withheld::Cause { rule, code, .. })] if rule == "work-silent" && code.is_empty())
    );
    ground.minutes(4, &[("GET /a", 0, 30)]);
    assert_eq!(ground.told(), [("work-silent".into(), String::new(), Change::Fired, 0)]);
    assert!(
        ground
            .withheld()
            .iter()
            .flatten()
            .any(|why| matches!(why, Withheld::Cause { code, .. } if !code.is_empty()))
    );
    ground.missed = Some(0.0);
    ground.minutes(10, &[("GET /a", 0, 30)]);
    assert_eq!(
        ground.told(),
        [("work-silent".into(), String::new(), Change::Resolved, 0)],
        "it stays explained a while"
    );
    ground.minutes(10, &[("GET /a", 0, 30)]);
    assert_eq!(ground.told(), [low("GET /a", Change::Fired, 0)], "the cause is over and this is not");
}

#[test]
fn it_is_told_again_and_to_the_second_list_until_somebody_looks() {
    let mut ground = Ground::new(&[("success-rate-low.toml", LOW)]);
    ground.minutes(100, &[("GET /a", 0, 30)]);
    assert_eq!(
        ground.told(),
        [
            low("GET /a", Change::Fired, 0),
            low("GET /a", Change::Unacknowledged, 0),
            low("GET /a", Change::Reminder, 0)
        ]
    );
    let id = ground.instances.values().next().and_then(|one| one.incident.as_ref()).unwrap().id.clone();
    let at = Minute(ground.minute).start();
    let until = Minute(ground.minute + 90).start();
    ground.overlays.acks.insert(id, Ack { by: "ana".into(), note: String::new(), at, until });
    ground.minutes(80, &[("GET /a", 0, 30)]);
    assert_eq!(ground.told(), [], "somebody looks at it");
    ground.minutes(20, &[("GET /a", 0, 30)]);
    assert_eq!(ground.told(), [low("GET /a", Change::Reminder, 0)], "the acknowledgement has ended");
}
