//! What a rule that reads well can still get wrong.

use super::document::{Document, Place, Section};
use super::rule::{Branch, Condition, Filter, Level, Measure, Piece, Resolve, Times, pieces};
use super::tier::Tier;
use crate::signals::signal::{Family, Label, Signal};

/// The furthest back, in minutes, that a rule may look: what the evaluator is handed of calls and gauges.
pub const REACH: u32 = 120;

/// Fields of the title are labels of `by`, never a value: the subject of a thread must not change.
pub fn title(document: &mut Document<'_>, title: &str, place: &Place, by: &[Label]) {
    for piece in pieces(title) {
        match piece {
            Piece::Field("value") => {
                document.problem(
                    place,
                    "title: {value} changes and would break the mail thread; use labels only",
                );
            }
            Piece::Field(field) if !by.iter().any(|label| label.name() == field) => {
                document.problem(place, format!("title: {{{field}}} is no label of this rule's by"));
            }
            Piece::Text(text) if text.contains(['{', '}']) => {
                document.problem(place, "title: a brace is open or closed that has no partner");
            }
            _ => {}
        }
    }
    if title.trim().is_empty() {
        document.problem(place, "title: it is empty");
    }
}

/// A runbook is a plain file name.
pub fn runbook_name(document: &mut Document<'_>, name: &str, place: &Place) {
    let stem = name.strip_suffix(".md").unwrap_or("");
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if stem.is_empty() || !stem.chars().all(plain) {
        document.problem(place, "runbook: this must be a file name of a-z, 0-9 and - that ends in .md");
    }
}

/// The labels that tell instances apart are offered by the signal, and keep apart what is never merged.
pub fn by(document: &mut Document<'_>, place: &Place, by: &[Label], family: Family, signals: &[Signal]) {
    for label in by {
        let offered = signals.iter().all(|signal| signal.labels().contains(label));
        if !offered {
            document.problem(place, not_offered("by", label.name(), signals));
        }
    }
    let own: &[Label] = match family {
        Family::Credential => &[Label::Credential],
        Family::Queue => &[Label::Queue],
        Family::Reconciliation => &[Label::Reconciliation, Label::Entity],
        Family::Contract => &[Label::Endpoint, Label::Path],
        Family::Run => &[Label::Run],
        Family::RateLimit => &[Label::Provider, Label::Account, Label::Limit],
        Family::Peer => &[Label::Environment, Label::Peer],
        Family::Vendor => &[Label::Peer],
        Family::Probe => &[Label::Probe],
        _ => &[],
    };
    // What several integrations share is told apart without them.
    let shared =
        matches!(family, Family::RateLimit | Family::Peer | Family::Vendor | Family::Probe | Family::Server);
    let whose: &[Label] = if shared { &[] } else { &[Label::Integration, Label::Environment] };
    for label in whose.iter().chain(own).filter(|label| !by.contains(label)) {
        let message =
            format!("by: {} is missing; without it figures of different things are mixed", label.name());
        document.problem(place, message);
    }
}

/// Which labels there are instead.
pub fn not_offered(key: &str, name: &str, signals: &[Signal]) -> String {
    let signal = signals.first().map_or("", |signal| signal.name());
    let offered: Vec<&str> =
        signals.first().map_or(&[][..], |signal| signal.labels()).iter().map(|label| label.name()).collect();
    format!("{key}: {signal} does not offer \"{name}\"; it offers {}", offered.join(", "))
}

/// Values of labels whose values are known.
pub fn label_value(document: &mut Document<'_>, place: &Place, label: Label, value: &str) {
    let known: &[&str] = match label {
        Label::Tier => &["critical", "standard", "simple"],
        // Dependencies never enter a rate.
        Label::Direction => &["outbound", "inbound"],
        Label::State => &["ready", "delayed", "in_flight", "dead_letter"],
        Label::Renewal => &["automatic", "manual", "unknown"],
        Label::Kind => &[
            "access_token",
            "refresh_token",
            "api_key",
            "webhook_secret",
            "certificate",
            "password",
            "unknown",
        ],
        _ => return,
    };
    if !known.contains(&value) {
        let message = format!("where: \"{value}\" is no {}; there are {}", label.name(), known.join(", "));
        document.problem(place, message);
    }
}

/// A key that says how calls are counted fits the signal.
pub fn measure_key(document: &mut Document<'_>, place: &Place, key: &str, measure: &Measure) {
    let signal = measure.signal;
    let name = signal.name();
    match key {
        "window" if measure.window == 0 => document.problem(place, "window: it must be a minute at least"),
        "window" | "widen_to" if measure.window.max(measure.widen_to) > REACH => {
            document.problem(place, format!("{key}: rules look back {REACH} minutes at most"));
        }
        "widen_to" if measure.widen_to < measure.window => {
            document.problem(place, "widen_to: it is shorter than the window");
        }
        "widen_to" if measure.min_count == 0 => {
            document.problem(place, "widen_to: without min_count the window has no reason to grow");
        }
        "min_count" if !signal.is_ratio_of_calls() && signal.quantile().is_none() => {
            document.problem(place, format!("min_count: {name} is known at any number of calls"));
        }
        "min_bad" if !signal.is_ratio_of_calls() => {
            document.problem(place, format!("min_bad: {name} has no bad ones to count"));
        }
        "or_consecutive" if signal != Signal::CallSuccessRate => {
            document.problem(place, format!("or_consecutive: this is for call.success_rate, not for {name}"));
        }
        _ => {}
    }
}

/// A ratio and a percentile need evidence.
pub fn figure(document: &mut Document<'_>, measure: &Measure, place: &Place) {
    let name = measure.signal.name();
    if measure.signal.is_ratio_of_calls() && measure.min_count == 0 {
        document.problem(place, format!("min_count is missing: one failure of two calls is no {name}"));
    }
    if matches!(measure.signal, Signal::CallSuccessRate | Signal::AttemptSuccessRate) && measure.min_bad == 0
    {
        document.problem(place, format!("min_bad is missing: how many bad ones must {name} rest on?"));
    }
    if let Some(least) = measure.signal.least_samples()
        && measure.min_count < least
    {
        let given = match measure.min_count {
            0 => "is missing".into(),
            few => format!("of {few} is too small"),
        };
        document.problem(place, format!("min_count {given}: {name} means nothing under {least} calls"));
    }
}

/// Looking back for a branch's own `for` stays within reach.
pub fn reach(document: &mut Document<'_>, place: &Place, measure: &Measure, own: u32) {
    if measure.widen_to.saturating_add(own) > REACH {
        let message = format!("for: window and for together look back {REACH} minutes at most");
        document.problem(place, message);
    }
}

/// All branches tell the same instances apart.
pub fn one_family(document: &mut Document<'_>, root: &Section<'_>, branches: &[Branch]) {
    let Some(first) = branches.first() else { return };
    for branch in branches {
        if branch.measure.signal.family() != first.measure.signal.family() {
            let (a, b) = (first.measure.signal.name(), branch.measure.signal.name());
            document.problem(
                &root.place_of("any"),
                format!("any: {a} and {b} do not belong to the same instance"),
            );
        }
    }
}

/// Every level says how bad it is, or the rule does.
pub fn levels_have_severity(
    document: &mut Document<'_>,
    root: &Section<'_>,
    condition: &Condition,
    given: bool,
) {
    let all_say = match condition {
        Condition::Levels(_, levels) => levels.iter().all(|level| level.severity.is_some()),
        Condition::Any(_) => false,
    };
    if !given && !all_say && !root.has("severity") {
        document.problem(&(0..0), "severity is missing: info, warning or critical");
    }
}

/// Counts by connection or credential are kept without endpoints, histograms and latest outcomes.
pub fn facets(
    document: &mut Document<'_>,
    root: &Section<'_>,
    by: &[Label],
    filter: &Filter,
    condition: &Condition,
) {
    let Some(measure) = condition.measures().first().copied() else { return };
    if measure.signal.family() != Family::Calls {
        return;
    }
    let names = |label: Label| by.contains(&label) || filter.names(label);
    let asked: Vec<&str> = [Label::Connection, Label::Credential, Label::Endpoint]
        .into_iter()
        .filter(|label| names(*label))
        .map(Label::name)
        .collect();
    if asked.len() > 1 {
        let message = format!("by: calls are counted by {}, not by both at once", asked.join(" or by "));
        document.problem(&root.place_of("by"), message);
    }
    if asked.first().is_some_and(|asked| *asked != "endpoint")
        && condition.measures().iter().any(|measure| measure.or_consecutive > 0)
    {
        let message =
            "or_consecutive: the latest outcomes are kept by endpoint, not by connection or credential";
        document.problem(&root.place_of("or_consecutive"), message);
    }
}

/// Levels that can meet in one instance have different names and grow from mild to bad.
pub fn ladder(document: &mut Document<'_>, sections: &[Section<'_>], levels: &[Level]) {
    for (at, upper) in levels.iter().enumerate() {
        let Some(section) = sections.get(at) else { continue };
        for lower in levels.iter().take(at).filter(|lower| can_meet(&lower.filter, &upper.filter)) {
            if lower.name == upper.name {
                let message = "level: two levels of one instance need different names";
                document.problem(&section.place_of("name"), message);
            }
            let mild = upper.severity.zip(lower.severity).is_some_and(|(upper, lower)| upper < lower);
            if mild || !upper.fire.is_within(&lower.fire) {
                let message = format!(
                    "level: \"{}\" stands after \"{}\" and must be the worse of the two; order levels from mild to bad",
                    upper.fire, lower.fire
                );
                document.problem(&section.place_of("fire"), message);
            }
        }
    }
}

/// Two filters of levels exclude each other only by tier.
fn can_meet(a: &Filter, b: &Filter) -> bool {
    let admits = |filter: &Filter, tier: Tier| {
        filter
            .clauses
            .iter()
            .filter(|clause| clause.label == Label::Tier)
            .all(|clause| clause.admits(tier.name()))
    };
    Tier::ALL.into_iter().any(|tier| admits(a, tier) && admits(b, tier))
}

/// Without a gap between firing and resolving, and without waiting, a rule rattles.
pub fn steadiness(document: &mut Document<'_>, root: &Section<'_>, condition: &Condition, times: &Times) {
    if times.keep_firing_for > 0 {
        return;
    }
    let mut touching = false;
    let mut look = |measure: &Measure, limit: f64, resolve: &Resolve| {
        let touches = matches!(resolve, Resolve::At(at) if at.limit == limit);
        touching |= touches && matches!(measure.signal.family(), Family::Calls | Family::Queue);
    };
    match condition {
        Condition::Levels(measure, levels) => {
            levels.iter().for_each(|level| look(measure, level.fire.limit, &level.resolve));
        }
        Condition::Any(branches) => {
            branches.iter().for_each(|branch| look(&branch.measure, branch.fire.limit, &branch.resolve));
        }
    }
    if touching {
        let message = "resolve: it begins where firing ends and keep_firing_for is 0, so the rule would rattle; give one of them room";
        document.problem(&root.place_of("resolve"), message);
    }
}
