//! One subject at one tick: the verdict, the level or branch that stands, and the figures behind it.

use crate::rollup::gap::OpenGap;
use crate::rollup::window::Minute;
use crate::signals::call::Class;
use crate::signals::telemetry::Nanos;

use super::incident::{Incident, Instance, Severity};
use super::rule::{Branch, Condition, Extra, Level, Measure, Resolve, Rule};
use super::sample::{CallSample, WEEK, take};
use super::subjects::{Data, Labels, Subject, of_gap};
use super::threshold::Threshold;
use super::tier::Tier;
use super::verdict::{Evidence, Ratio, Verdict, any, percentile, plain, ratio};
use crate::health::value::Value;
use crate::signals::signal::{Family, Label, Signal};

/// What a tick says of an instance.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The verdict.
    pub verdict: Verdict,
    /// The level or branch that stands, or would; none when nothing was there to judge.
    pub standing: Option<Standing>,
    /// The figures.
    pub figures: Figures,
}

/// The level or branch that stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its place among the rule's levels or branches.
    pub at: usize,
    /// The level's name, else empty.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// The figure.
    pub signal: Signal,
    /// When it breaches.
    pub fire: Threshold,
    /// The further condition that breaches where `fire` itself does not.
    pub extra: Option<Extra>,
    /// The value in base units.
    pub value: Option<f64>,
}

/// The figures behind a verdict.
#[derive(Clone, Debug)]
pub enum Figures {
    /// Calls.
    Calls(Box<CallSample>),
    /// A credential.
    Credential {
        /// Unix seconds of its expiry.
        expires_at: i64,
        /// Unix seconds of the tick.
        now: i64,
    },
    /// A queue.
    Queue {
        /// Items in it.
        depth: Option<f64>,
        /// Seconds that the oldest ready item has waited.
        oldest_age: Option<f64>,
        /// When the figure that is judged was reported.
        at: Nanos,
    },
    /// A reconciliation.
    Reconciliation(OpenGap),
    /// A value that stands on its own.
    Value {
        /// What it rests on.
        why: String,
        /// When it was true.
        at: Nanos,
    },
    /// Nobody called or reported it for 7 days.
    Forgotten,
    /// It is not judged any more: gone, or outside of the rule's `where`.
    Gone,
    /// Nothing known at this tick.
    Nothing,
}

/// Judges a subject. `instance` is what is known of it from the tick before.
pub fn judge(
    rule: &Rule,
    labels: &Labels,
    subject: &Subject<'_>,
    instance: Option<&Instance>,
    tick: Minute,
) -> Reading {
    let incident = instance.and_then(|instance| instance.incident.as_ref());
    let scene = Scene { rule, labels, subject, incident };
    let mut reading = match &rule.condition {
        Condition::Levels(measure, levels) => scene.levels(measure, levels, tick),
        Condition::Any(branches) => scene.any(branches, tick),
    };
    if forgotten(&reading, instance, tick) {
        reading.verdict = Verdict::Clear;
        reading.figures = Figures::Forgotten;
    }
    reading
}

/// Judges an instance that the part says nothing of.
pub fn absent(rule: &Rule, family: Family, tier: Tier, instance: &Instance, tick: Minute) -> Reading {
    let value = |label: Label| match label {
        Label::Tier => tier.name(),
        label => instance.key.labels.get(label.name()).map_or("", String::as_str),
    };
    let excluded = rule
        .filter
        .clauses
        .iter()
        .filter(|clause| clause.label == Label::Tier || rule.by.contains(&clause.label))
        .any(|clause| !clause.admits(value(clause.label)));
    // Credentials, reconciliations and the like are states: what is not there is gone, not late.
    let is_state = !matches!(
        family,
        Family::Calls | Family::Queue | Family::Webhook | Family::RateLimit | Family::Work | Family::Other
    );
    // That calls with a credential were refused ends with calls that are not.
    let of_use = |incident: &Incident| incident.signal == Signal::CredentialAuthShare.name();
    let is_state = is_state && !instance.incident.as_ref().is_some_and(of_use);
    let (verdict, figures) = if excluded || is_state {
        (Verdict::Clear, Figures::Gone)
    } else if unknown_for_a_week(instance, tick) {
        (Verdict::Clear, Figures::Forgotten)
    } else {
        (Verdict::Unknown, Figures::Nothing)
    };
    Reading { verdict, standing: None, figures }
}

/// Whether an endpoint has not been called for 7 days, as far as can be known.
fn forgotten(reading: &Reading, instance: Option<&Instance>, tick: Minute) -> bool {
    let Figures::Calls(sample) = &reading.figures else {
        return reading.verdict == Verdict::Unknown
            && instance.is_some_and(|instance| unknown_for_a_week(instance, tick));
    };
    let old = |time: Nanos| time < tick.start().saturating_sub(WEEK);
    let by_outcomes = reading
        .standing
        .as_ref()
        .is_some_and(|standing| matches!(standing.signal, Signal::CallSuccessRate | Signal::CallRate));
    let last_is_old = by_outcomes && sample.last_outcome.is_some_and(old);
    let silent = reading.verdict == Verdict::Unknown
        && instance.is_some_and(|instance| unknown_for_a_week(instance, tick));
    !sample.has_calls && (last_is_old || silent)
}

fn unknown_for_a_week(instance: &Instance, tick: Minute) -> bool {
    instance.unknown_since.is_some_and(|since| tick.0 - since.0 >= WEEK / crate::rollup::window::MINUTE)
}

/// What a verdict is made from.
struct Scene<'s> {
    rule: &'s Rule,
    labels: &'s Labels,
    subject: &'s Subject<'s>,
    incident: Option<&'s Incident>,
}

/// A signal's value with all that judging it needs.
struct Taken {
    value: Option<f64>,
    figures: Figures,
    /// Within what is usual, so that no threshold is breached.
    is_usual: bool,
}

impl Taken {
    fn of(value: Option<f64>, figures: Figures) -> Taken {
        Taken { value, figures, is_usual: false }
    }
}

impl Scene<'_> {
    fn levels(&self, measure: &Measure, levels: &[Level], tick: Minute) -> Reading {
        let taken = self.take(measure, tick);
        let applicable: Vec<(usize, &Level)> =
            levels.iter().enumerate().filter(|(_, level)| self.applies(level)).collect();
        let verdicts: Vec<(usize, Verdict)> = applicable
            .iter()
            .map(|(at, level)| (*at, self.level_verdict(measure, level, &taken, tick)))
            .collect();
        let open = self.incident.filter(|incident| incident.resolved_at.is_none());
        let current = open.and_then(|open| {
            applicable.iter().find(|(_, level)| level.name == open.level).map(|(at, _)| *at)
        });
        let breaching =
            verdicts.iter().rev().find(|(_, verdict)| *verdict == Verdict::Breach).map(|(at, _)| *at);
        // A level that stands goes on standing until its own `resolve` holds.
        let held = current.filter(|current| {
            verdicts.iter().any(|(at, verdict)| at == current && *verdict == Verdict::Hold)
        });
        let verdict = match verdicts.is_empty() {
            // Every level is longer than the credential lives, or the tier has none.
            true => Verdict::Clear,
            false => any(&verdicts.iter().map(|(_, verdict)| *verdict).collect::<Vec<_>>()),
        };
        let at = breaching.max(held).or(current).or(applicable.first().map(|(at, _)| *at));
        let standing =
            at.and_then(|at| levels.get(at).map(|level| (at, level))).map(|(at, level)| Standing {
                at,
                name: level.name.clone(),
                severity: level.severity.unwrap_or_else(|| self.rule.severity_for(self.subject.tier)),
                signal: measure.signal,
                fire: level.fire.clone(),
                extra: self.extra_of(level, measure, &taken, tick),
                value: taken.value,
            });
        Reading { verdict, standing, figures: taken.figures }
    }

    fn level_verdict(&self, measure: &Measure, level: &Level, taken: &Taken, tick: Minute) -> Verdict {
        let holds = |extra: &Extra| extra.holds(self.extra(extra, measure, tick));
        let verdict = verdict_of(measure, taken, &level.fire, &level.resolve);
        if level.or.iter().any(holds) {
            return Verdict::Breach;
        }
        if verdict == Verdict::Breach && !level.and.iter().all(holds) {
            return Verdict::Hold;
        }
        verdict
    }

    /// Which of a level's further conditions breaches, where its own threshold does not.
    fn extra_of(&self, level: &Level, measure: &Measure, taken: &Taken, tick: Minute) -> Option<Extra> {
        let by_itself = taken.value.is_some_and(|value| level.fire.holds(value))
            && level.and.iter().all(|extra| extra.holds(self.extra(extra, measure, tick)));
        let holds = |extra: &&Extra| extra.holds(self.extra(extra, measure, tick));
        if by_itself { None } else { level.or.iter().find(holds).cloned() }
    }

    fn any(&self, branches: &[Branch], tick: Minute) -> Reading {
        let mut verdicts = Vec::new();
        let mut readings: Vec<(usize, Verdict, Taken)> = Vec::new();
        for (at, branch) in branches.iter().enumerate() {
            let taken = self.take(&branch.measure, tick);
            let verdict = self.branch_verdict(branch, &taken, tick);
            let opened = self.incident.is_some_and(|open| open.signal == branch.measure.signal.name());
            // A branch that never had data says nothing, unless it is the one that fired.
            if verdict != Verdict::Unknown || has_data(&taken) || opened {
                verdicts.push(verdict);
            }
            readings.push((at, verdict, taken));
        }
        let verdict = any(&verdicts);
        let place = |wanted: Verdict| readings.iter().position(|(_, verdict, _)| *verdict == wanted);
        let opened = branches
            .iter()
            .position(|branch| self.incident.is_some_and(|open| open.signal == branch.measure.signal.name()));
        let at = place(Verdict::Breach).or(opened).or(place(verdict)).unwrap_or(0);
        let Some((branch, (_, _, taken))) = branches.get(at).zip(readings.into_iter().nth(at)) else {
            return Reading { verdict, standing: None, figures: Figures::Nothing };
        };
        let standing = Standing {
            at,
            name: String::new(),
            severity: self.rule.severity_for(self.subject.tier),
            signal: branch.measure.signal,
            fire: branch.fire.clone(),
            extra: None,
            value: taken.value,
        };
        Reading { verdict, standing: Some(standing), figures: taken.figures }
    }

    fn branch_verdict(&self, branch: &Branch, taken: &Taken, tick: Minute) -> Verdict {
        let verdict = self.branch_at(branch, taken, tick);
        if verdict != Verdict::Breach || branch.held_for == 0 {
            return verdict;
        }
        // It breaches now; it must have begun `held_for` ticks ago and not have cleared since.
        let earlier = (1..=branch.held_for).map(|back| {
            let tick = Minute(tick.0 - i64::from(back));
            (back, self.branch_at(branch, &self.take(&branch.measure, tick), tick))
        });
        for (back, verdict) in earlier {
            let wanted =
                if back == branch.held_for { verdict == Verdict::Breach } else { verdict != Verdict::Clear };
            if !wanted {
                return Verdict::Hold;
            }
        }
        Verdict::Breach
    }

    fn branch_at(&self, branch: &Branch, taken: &Taken, tick: Minute) -> Verdict {
        if let Some(only_if) = &branch.only_if
            && taken.value.is_some()
            && !only_if.holds(self.extra(only_if, &branch.measure, tick))
        {
            return Verdict::Clear;
        }
        verdict_of(&branch.measure, taken, &branch.fire, &branch.resolve)
    }

    /// Whether a level applies to the subject at all.
    fn applies(&self, level: &Level) -> bool {
        let value = |label: Label| {
            self.labels.get(label.name()).map_or_else(|| self.subject.extra_label(label), String::as_str)
        };
        // A level is skipped where the known lifetime is under three times it.
        let too_long = match &self.subject.data {
            Data::Slot(slot) => slot
                .lifetime()
                .is_some_and(|life| level.fire.limit > 0.0 && (life as f64) < 3.0 * level.fire.limit),
            _ => false,
        };
        level.filter.admits(value) && !too_long
    }

    /// The value of a further condition's signal, taken over the same window.
    fn extra(&self, extra: &Extra, measure: &Measure, tick: Minute) -> Option<f64> {
        self.take(&Measure { signal: extra.signal, ..measure.clone() }, tick).value
    }

    fn take(&self, measure: &Measure, tick: Minute) -> Taken {
        let worst = self.subject.worst(measure.signal);
        let mut taken = self.take_data(measure, tick);
        if let Some(worst) = worst.filter(|_| taken.value.is_none()) {
            let figures = Figures::Value { why: worst.why.clone(), at: worst.at };
            taken = Taken::of(Some(worst.value), figures);
        }
        taken.is_usual = worst.is_some_and(Value::is_usual);
        taken
    }

    /// What the subject's own figures say.
    fn take_data(&self, measure: &Measure, tick: Minute) -> Taken {
        match &self.subject.data {
            Data::Calls(series) if measure.signal.is_of_calls() => {
                let gone_before = self.incident.is_some_and(|open| {
                    open.resolved_at.is_none() && open.cause == Class::AmbiguousRead.name()
                });
                let sample = take(series, measure, tick, gone_before);
                Taken::of(sample.value(measure.signal), Figures::Calls(Box::new(sample)))
            }
            Data::Slot(slot) if measure.signal == Signal::CredentialExpiresIn => {
                let (now, expires_at) = (tick.start() / 1_000_000_000, slot.expires_at());
                let value = expires_at.map(|at| at.saturating_sub(now) as f64);
                let figures = |expires_at| Figures::Credential { expires_at, now };
                Taken::of(value, expires_at.map_or(Figures::Nothing, figures))
            }
            Data::Queue(rows) if matches!(measure.signal, Signal::QueueDepth | Signal::QueueOldestAge) => {
                let (depth, age) = (rows.depth(tick), rows.oldest_age(tick));
                let value = if measure.signal == Signal::QueueDepth { depth } else { age };
                let figures = Figures::Queue {
                    depth: depth.map(|at| at.0),
                    oldest_age: age.map(|at| at.0),
                    at: value.map_or(tick.start(), |at| at.1),
                };
                Taken::of(value.map(|at| at.0), figures)
            }
            Data::Runs(gap) => {
                let value = of_gap(gap, measure.signal);
                Taken::of(value, value.map_or(Figures::Nothing, |_| Figures::Reconciliation((*gap).clone())))
            }
            _ => Taken::of(None, Figures::Nothing),
        }
    }
}

fn verdict_of(measure: &Measure, taken: &Taken, fire: &Threshold, resolve: &Resolve) -> Verdict {
    if taken.is_usual {
        return Verdict::Clear;
    }
    let Figures::Calls(sample) = &taken.figures else { return plain(taken.value, fire, resolve) };
    let signal = measure.signal;
    if signal.is_ratio_of_calls() {
        let figures = Ratio {
            value: taken.value,
            count: sample.count(signal),
            bad: sample.bad(signal),
            latest: &sample.latest,
        };
        let evidence = Evidence {
            min_count: measure.min_count,
            min_bad: measure.min_bad,
            or_consecutive: measure.or_consecutive,
        };
        ratio(&figures, fire, resolve, evidence)
    } else if signal.quantile().is_some() {
        percentile(taken.value, sample.count(signal), fire, resolve, measure.min_count)
    } else {
        plain(taken.value, fire, resolve)
    }
}

fn has_data(taken: &Taken) -> bool {
    match &taken.figures {
        Figures::Calls(sample) => sample.has_calls,
        _ => taken.value.is_some(),
    }
}
