use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use Verdict::{Breach, Clear, Hold, Unknown};

const POLICY: Policy = Policy {
    times: Times { hold_for: 5, keep_firing_for: 5, reopen_within: 30 },
    no_data: NoData::Hold,
    audible: true,
    withheld: false,
    silenced: false,
};

fn instance() -> Instance {
    newborn(InstanceKey { rule: Arc::from("r"), labels: BTreeMap::new() }, Minute(0))
}

/// The reference model, line by line: what mails does it write?
#[derive(Clone, Default)]
struct Model {
    state: &'static str,
    since: i64,
    clear: i64,
    last: Option<i64>,
    incident: u32,
    flips: Vec<i64>,
    flapping: Option<i64>,
    closed_at: Option<i64>,
    mails: Vec<(i64, u32, &'static str)>,
    heard: &'static str,
    unknown: Option<i64>,
}

impl Model {
    fn new() -> Model {
        Model { state: "inactive", heard: "none", ..Model::default() }
    }

    fn step(&mut self, t: i64, verdict: Verdict) {
        let gap = self.last.map_or(1, |last| t - last);
        self.last = Some(t);
        if verdict == Unknown {
            let since = *self.unknown.get_or_insert(t);
            if self.state == "pending" {
                self.since += gap;
                if t - since >= 15 {
                    self.state = "inactive";
                }
            } else if self.state == "recovering" {
                self.clear += gap;
            }
        } else {
            self.unknown = None;
            if self.state == "inactive" {
                if verdict == Breach {
                    self.state = "pending";
                    self.since = t;
                }
            } else if self.state == "pending" && verdict == Clear {
                self.state = "inactive";
            } else if self.state == "recovering" && verdict != Clear {
                self.state = "firing";
            }
            if self.state == "firing" && verdict == Clear {
                self.state = "recovering";
                self.clear = t;
            }
            if self.state == "pending" && verdict == Breach && t - self.since >= 5 {
                self.state = "firing";
                if self.closed_at.is_none_or(|closed| t - closed > 30) {
                    self.incident += 1;
                }
                self.flips.push(t);
                self.note(t, "firing");
            }
            if self.state == "recovering" && verdict == Clear && t - self.clear >= 5 {
                self.state = "inactive";
                self.closed_at = Some(t);
                self.flips.push(t);
                self.note(t, "resolved");
            }
        }
        self.flips.retain(|flip| t - flip <= 60);
        if self.flips.len() <= 1 && self.flapping.is_some_and(|since| t - since >= 30) {
            self.flapping = None;
            let fires = matches!(self.state, "firing" | "recovering");
            self.heard = if fires { "firing" } else { "resolved" };
            self.mails.push((t, self.incident, if fires { "settled:firing" } else { "settled:resolved" }));
        }
    }

    fn note(&mut self, t: i64, kind: &'static str) {
        if self.flapping.is_some() {
            self.flapping = Some(t);
        } else if self.flips.len() >= 4 {
            self.flapping = Some(t);
            self.heard = "flapping";
            self.mails.push((t, self.incident, "flapping"));
        } else if !(kind == "resolved" && self.heard == "none") {
            self.heard = kind;
            self.mails.push((t, self.incident, kind));
        }
    }
}

/// xorshift64*: the sequences are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

fn sequence(seed: u64) -> Vec<Verdict> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let length = 50 + random.below(350);
    let change = [2, 10, 30, 60][random.below(4) as usize];
    let mut now = Clear;
    (0..length)
        .map(|_| {
            if random.below(100) < change {
                now = [Breach, Breach, Clear, Clear, Hold, Unknown][random.below(6) as usize];
            }
            now
        })
        .collect()
}

/// What the machine mails over a sequence, in the model's words. The instance is serialised and read back at
/// `crash`, as a restart would.
fn mails(sequence: &[Verdict], crash: Option<usize>) -> Vec<(i64, u32, &'static str)> {
    let mut instance = instance();
    let (mut incident, mut out) = (0, Vec::new());
    for (at, verdict) in sequence.iter().enumerate() {
        if crash == Some(at) {
            let kept = serde_json::to_string(&instance).unwrap();
            instance = serde_json::from_str(&kept).unwrap();
        }
        let tick = Minute(at as i64);
        if at == 0 {
            instance.last_tick = Minute(-1);
        }
        for step in step(&mut instance, tick, *verdict, &POLICY) {
            if step.change == Change::Fired {
                incident += 1;
                instance.incident = Some(some_incident());
            }
            let fires = matches!(instance.phase, Phase::Firing | Phase::Recovering);
            let kind = match step.change {
                Change::Fired | Change::Reopened => "firing",
                Change::Resolved => "resolved",
                Change::Flapping => "flapping",
                Change::Settled if fires => "settled:firing",
                Change::Settled => "settled:resolved",
                other => panic!("the machine does not make {other:?}"),
            };
            if step.notify {
                out.push((tick.0, incident, kind));
            }
        }
    }
    out
}

fn some_incident() -> crate::alert::incident::Incident {
    crate::alert::incident::Incident {
        id: String::new(),
        code: String::new(),
        rule: Arc::from("r"),
        labels: BTreeMap::new(),
        title: String::new(),
        severity: crate::alert::incident::Severity::Critical,
        level: String::new(),
        runbook: String::new(),
        signal: String::new(),
        since: 0,
        opened_at: 0,
        resolved_at: None,
        value: String::new(),
        worst: String::new(),
        worst_raw: 0.0,
        threshold: String::new(),
        sentence: String::new(),
        evidence: Vec::new(),
        cause: String::new(),
        first_cause: String::new(),
        changed: String::new(),
        ending: String::new(),
        at_worst: None,
        withheld: None,
        also: Vec::new(),
        to: Vec::new(),
    }
}

#[test]
fn ten_thousand_random_sequences_mail_what_the_model_mails() {
    for seed in 0..10_000 {
        let sequence = sequence(seed);
        let mut model = Model::new();
        sequence.iter().enumerate().for_each(|(t, verdict)| model.step(t as i64, *verdict));
        assert_eq!(mails(&sequence, None), model.mails, "seed {seed}");
    }
}

#[test]
fn mails_make_sense_and_a_restart_changes_nothing() {
    let mut mailed = 0;
    for seed in 0..10_000 {
        let sequence = sequence(seed);
        let sent = mails(&sequence, None);
        let crash = (seed as usize * 7919) % sequence.len();
        assert_eq!(mails(&sequence, Some(crash)), sent, "seed {seed}: a restart differs");
        let mut heard = "none";
        for (t, _, kind) in &sent {
            let fires = matches!(heard, "firing" | "settled:firing");
            assert!(*kind != "resolved" || fires, "seed {seed} t {t}: resolved without firing");
            assert!(*kind != "firing" || !fires, "seed {seed} t {t}: fired twice");
            heard = kind;
            if *kind == "firing" {
                let evidence = sequence[..=*t as usize]
                    .iter()
                    .rev()
                    .take_while(|verdict| **verdict != Clear)
                    .filter(|verdict| **verdict != Unknown)
                    .count();
                assert!(evidence >= 5, "seed {seed} t {t}: fired early");
            }
        }
        for (at, (start, _, _)) in sent.iter().enumerate() {
            let hour = sent[at..].iter().take_while(|(t, _, _)| *t < start + 60).count();
            assert!(hour <= 6, "seed {seed}: {hour} mails in an hour");
        }
        mailed += sent.len();
    }
    assert!(mailed > 10_000, "the sequences must make the machine work, {mailed} mails");
}

#[test]
fn a_tick_judged_twice_changes_nothing() {
    let mut instance = instance();
    let at_once = Policy { times: Times { hold_for: 0, keep_firing_for: 0, reopen_within: 30 }, ..POLICY };
    assert_eq!(step(&mut instance, Minute(1), Breach, &at_once).len(), 1);
    let before = instance.clone();
    assert!(step(&mut instance, Minute(1), Clear, &at_once).is_empty());
    assert_eq!(instance, before);
}

#[test]
fn what_nobody_hears_stays_unheard() {
    let mut instance = instance();
    let at_once = Times { hold_for: 0, keep_firing_for: 0, reopen_within: 30 };
    let silent = Policy { times: at_once, audible: false, ..POLICY };
    let told = |steps: Vec<Step>| steps.iter().any(|step| step.notify);
    assert!(!told(step(&mut instance, Minute(1), Breach, &silent)));
    assert!(!told(step(&mut instance, Minute(2), Clear, &Policy { audible: true, ..silent })));
}

#[test]
fn no_data_resolves_only_where_the_rule_says_so() {
    let at_once = Times { hold_for: 0, keep_firing_for: 2, reopen_within: 30 };
    for (no_data, phase) in [(NoData::Hold, Phase::Firing), (NoData::Resolve, Phase::Inactive)] {
        let policy = Policy { times: at_once, no_data, ..POLICY };
        let mut instance = instance();
        step(&mut instance, Minute(1), Breach, &policy);
        for tick in 2..=4 {
            step(&mut instance, Minute(tick), Unknown, &policy);
        }
        assert_eq!(instance.phase, phase, "{no_data:?}");
    }
}

#[test]
fn an_idle_instance_may_be_forgotten_only_after_it_cannot_reopen() {
    let times = Times { hold_for: 0, keep_firing_for: 0, reopen_within: 30 };
    let policy = Policy { times, ..POLICY };
    let mut instance = instance();
    step(&mut instance, Minute(1), Breach, &policy);
    step(&mut instance, Minute(2), Clear, &policy);
    assert!(!is_idle(&instance, &times));
    for tick in 3..=63 {
        step(&mut instance, Minute(tick), Clear, &policy);
    }
    assert!(is_idle(&instance, &times));
}
