//! One rule file into a [`Rule`], or all that is wrong with it.

pub mod labels;

use std::sync::Arc;

use super::check;
use super::document::{Document, Place, Section, nearest};
use super::incident::Severity;
use super::rule::{Branch, Condition, Extra, Filter, Level, Measure, NoData, Problem, Resolve, Rule, Times};
use super::threshold::{Threshold, whole_minutes};
use super::tier::Tier;
use crate::signals::signal::Signal;

/// Keys of a rule.
pub const RULE_KEYS: &[&str] = &[
    "schema",
    "id",
    "title",
    "runbook",
    "severity",
    "signal",
    "by",
    "where",
    "window",
    "widen_to",
    "fire",
    "resolve",
    "for",
    "keep_firing_for",
    "reopen_within",
    "min_count",
    "min_bad",
    "or_consecutive",
    "no_data",
    "explained_by",
    "group_by",
    "repeat",
    "escalate",
    "level",
    "any",
];
/// Keys of a level.
pub const LEVEL_KEYS: &[&str] = &["name", "where", "severity", "fire", "resolve", "or", "and"];
/// Keys of a branch of `[[any]]`.
pub const BRANCH_KEYS: &[&str] = &[
    "signal",
    "window",
    "widen_to",
    "fire",
    "resolve",
    "min_count",
    "min_bad",
    "or_consecutive",
    "only_if",
    "for",
];
/// Keys of the format that this version does not act on.
const LATER: &[&str] = &[
    "beyond_usual",
    "burn",
    "objective",
    "attach",
    "route",
    "at_least",
    "stale_after",
    "min_points",
    "only_if",
    "for",
];
/// Keys that say how a figure of calls is taken.
const MEASURE_KEYS: [&str; 5] = ["window", "widen_to", "min_count", "min_bad", "or_consecutive"];

/// Reads a rule. `file` is its name as the caller says it; the part before `.toml` is the rule's id.
///
/// The runbook is not looked for here: [`super::load::load`] does that.
pub fn parse(file: &str, text: &str) -> Result<Rule, Vec<Problem>> {
    let mut document = Document::new(file, text);
    let Some(table) = document.parse() else { return Err(document.finish()) };
    let rule = rule(&mut document, &Section::root(&table), file);
    match rule {
        Some(rule) if document.is_clean() => Ok(rule),
        _ => Err(document.finish()),
    }
}

fn rule(document: &mut Document<'_>, root: &Section<'_>, file: &str) -> Option<Rule> {
    document.keys(root, RULE_KEYS, LATER);
    if !root.has("schema") {
        document.problem(&(0..0), "schema is missing: write schema = 1");
    }
    document.integer(root, "schema", 1, 1);
    let id = document.required(root, "id", "the file's name without .toml");
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".toml");
    if let Some((id, place)) = &id
        && *id != stem
    {
        document.problem(place, format!("id: \"{id}\" differs from the file's name \"{stem}\""));
    }
    let by = labels::by(document, root);
    let title =
        document.required(root, "title", "a line with labels in braces, like \"{peer} success rate\"");
    let runbook = document.required(root, "runbook", "the file name of its runbook in alerts/runbooks");
    if let Some((title, place)) = &title {
        check::title(document, title, place, &by);
    }
    if let Some((runbook, place)) = &runbook {
        check::runbook_name(document, runbook, place);
    }
    let severity = severities(document, root);
    let hold_for = minutes(document, root, "for").unwrap_or(0);
    let times = Times {
        hold_for,
        keep_firing_for: minutes(document, root, "keep_firing_for").unwrap_or(0),
        reopen_within: minutes(document, root, "reopen_within").unwrap_or(30),
    };
    let no_data = document.read(root, "no_data", |text| match text {
        "hold" => Ok(NoData::Hold),
        "resolve" => Ok(NoData::Resolve),
        _ => Err(format!("\"{text}\" is neither \"hold\" nor \"resolve\"")),
    });
    let explained_by: Vec<String> = document
        .strings(root, "explained_by")
        .unwrap_or_default()
        .into_iter()
        .map(|(id, _)| id.to_owned())
        .collect();
    let group_by = labels::group_by(document, root, &by);
    let repeat = minutes(document, root, "repeat").unwrap_or(0);
    let escalate = minutes(document, root, "escalate").unwrap_or(0);
    let condition = condition(document, root, &times)?;
    let family = condition.measures().first()?.signal.family();
    let signals: Vec<Signal> = condition.measures().iter().map(|measure| measure.signal).collect();
    let filter = labels::filter(document, root, &signals);
    check::by(document, &root.place_of("by"), &by, family, &signals);
    check::levels_have_severity(document, root, &condition, severity.is_some());
    check::facets(document, root, &by, &filter, &condition);
    check::steadiness(document, root, &condition, &times);
    Some(Rule {
        id: Arc::from(id?.0),
        title: title?.0.to_owned(),
        runbook: runbook?.0.to_owned(),
        by,
        filter,
        condition,
        severity: severity.unwrap_or([Severity::Warning; 3]),
        times,
        no_data: no_data.map_or(NoData::Hold, |(no_data, _)| no_data),
        explained_by,
        group_by,
        repeat,
        escalate,
        to: Vec::new(),
    })
}

fn condition(document: &mut Document<'_>, root: &Section<'_>, times: &Times) -> Option<Condition> {
    let (levels, branches) = (document.sections(root, "level"), document.sections(root, "any"));
    if !branches.is_empty() {
        for key in ["signal", "fire", "resolve", "level"].into_iter().filter(|key| root.has(key)) {
            document.problem(&root.place_of(key), format!("{key}: this belongs into each [[any]]"));
        }
        let mut out = Vec::new();
        for section in &branches {
            document.keys(section, BRANCH_KEYS, LATER);
            out.push(branch(document, section, root, times)?);
        }
        check::one_family(document, root, &out);
        return Some(Condition::Any(out));
    }
    let signal = signal(document, root)?;
    let measure = measure(document, root, root, signal)?;
    if levels.is_empty() {
        let (fire, place) = fire(document, root, signal)?;
        let resolve = resolve(document, root, root, signal, &fire)?;
        check::figure(document, &measure, &place);
        let level = Level {
            name: String::new(),
            filter: Filter::default(),
            severity: None,
            fire,
            and: Vec::new(),
            or: Vec::new(),
            resolve,
        };
        return Some(Condition::Levels(measure, vec![level]));
    }
    if root.has("fire") {
        document.problem(&root.place_of("fire"), "fire: this belongs into each [[level]]");
    }
    check::figure(document, &measure, &root.place_of("signal"));
    let mut out = Vec::new();
    for section in &levels {
        document.keys(section, LEVEL_KEYS, LATER);
        out.push(level(document, section, root, signal)?);
    }
    check::ladder(document, &levels, &out);
    Some(Condition::Levels(measure, out))
}

fn level(
    document: &mut Document<'_>,
    section: &Section<'_>,
    root: &Section<'_>,
    signal: Signal,
) -> Option<Level> {
    let name = document.string(section, "name").map_or("", |(name, _)| name);
    let severity = document.read(section, "severity", severity).map(|(severity, _)| severity);
    let filter = labels::filter(document, section, &[signal]);
    let (fire, _) = fire(document, section, signal)?;
    let resolve = resolve(document, section, root, signal, &fire)?;
    let (and, or) = (extras(document, section, "and", signal), extras(document, section, "or", signal));
    Some(Level { name: name.to_owned(), filter, severity, fire, and, or, resolve })
}

fn branch(
    document: &mut Document<'_>,
    section: &Section<'_>,
    root: &Section<'_>,
    times: &Times,
) -> Option<Branch> {
    let signal = signal(document, section)?;
    let measure = measure(document, section, root, signal)?;
    let (fire, place) = fire(document, section, signal)?;
    let resolve = resolve(document, section, section, signal, &fire)?;
    check::figure(document, &measure, &place);
    let only_if = extras(document, section, "only_if", signal).into_iter().next();
    let own = minutes(document, section, "for").unwrap_or(times.hold_for);
    if own < times.hold_for {
        let message = "for: a branch can ask for more time than the rule, not for less";
        document.problem(&section.place_of("for"), message);
    }
    check::reach(document, &section.place_of("for"), &measure, own);
    Some(Branch { measure, fire, resolve, only_if, held_for: own.saturating_sub(times.hold_for) })
}

fn signal(document: &mut Document<'_>, section: &Section<'_>) -> Option<Signal> {
    let (name, place) =
        document.required(section, "signal", "the figure that is judged, like call.success_rate")?;
    named_signal(name).map_err(|why| document.problem(&place, format!("signal: {why}"))).ok()
}

/// The computed signal of that name, or a sentence that says which there are.
fn named_signal(name: &str) -> Result<Signal, String> {
    let signal = Signal::from_name(name);
    if let Some(signal) = signal.filter(|signal| signal.is_computed()) {
        return Ok(signal);
    }
    let computed: Vec<&str> =
        Signal::ALL.iter().filter(|signal| signal.is_computed()).map(|signal| signal.name()).collect();
    if signal.is_some() {
        return Err(format!("{name} is not computed by this version; computed are {}", computed.join(", ")));
    }
    Err(match nearest(name, &computed) {
        Some(near) => format!("there is no {name}; did you mean {near}?"),
        None => format!("there is no {name}; computed are {}", computed.join(", ")),
    })
}

fn measure(
    document: &mut Document<'_>,
    section: &Section<'_>,
    root: &Section<'_>,
    signal: Signal,
) -> Option<Measure> {
    // A branch takes from the rule what it does not say itself.
    let owner = |key: &str| if section.has(key) { section.clone() } else { root.clone() };
    if !signal.is_of_calls() {
        for key in MEASURE_KEYS.into_iter().filter(|key| owner(key).has(key)) {
            let message =
                format!("{key}: {} is judged by its latest value and takes no {key}", signal.name());
            document.problem(&owner(key).place_of(key), message);
        }
        return Some(Measure { signal, window: 0, widen_to: 0, min_count: 0, min_bad: 0, or_consecutive: 0 });
    }
    if !owner("window").has("window") {
        document.problem(
            &section.place_of("signal"),
            format!("window is missing: {} needs one, like \"5m\"", signal.name()),
        );
    }
    let window = minutes(document, &owner("window"), "window")?;
    let widen_to = minutes(document, &owner("widen_to"), "widen_to").unwrap_or(window);
    let mut number = |key: &str, most: u64| document.integer(&owner(key), key, 1, most).map_or(0, |(n, _)| n);
    let measure = Measure {
        signal,
        window,
        widen_to,
        min_count: number("min_count", 1_000_000_000),
        min_bad: number("min_bad", 1_000_000_000),
        or_consecutive: number("or_consecutive", 8) as usize,
    };
    for key in MEASURE_KEYS.into_iter().filter(|key| owner(key).has(key)) {
        check::measure_key(document, &owner(key).place_of(key), key, &measure);
    }
    Some(measure)
}

fn fire(document: &mut Document<'_>, section: &Section<'_>, signal: Signal) -> Option<(Threshold, Place)> {
    document.required(section, "fire", "when it breaches, like \"< 95 %\"")?;
    document.read(section, "fire", |text| Threshold::parse(text, signal))
}

fn resolve(
    document: &mut Document<'_>,
    section: &Section<'_>,
    root: &Section<'_>,
    signal: Signal,
    fire: &Threshold,
) -> Option<Resolve> {
    let owner = if section.has("resolve") { section } else { root };
    document.required(owner, "resolve", "when it is over, like \">= 98 %\"")?;
    let (resolve, place) = document.read(owner, "resolve", |text| match (text, signal) {
        ("renewed", Signal::CredentialExpiresIn) => Ok(Resolve::Renewed),
        ("matched", Signal::ReconciliationGap) => Ok(Resolve::Matched),
        ("renewed" | "matched", _) => Err(format!(
            "\"{text}\" is for {}, not for {}",
            if text == "renewed" { "credential.expires_in" } else { "reconciliation.gap" },
            signal.name()
        )),
        _ => Threshold::parse(text, signal).map(Resolve::At),
    })?;
    if let Resolve::At(threshold) = &resolve
        && threshold.overlaps(fire)
    {
        document.problem(&place, format!("resolve: \"{threshold}\" lies inside what fires, \"{fire}\""));
    }
    Some(resolve)
}

fn extras(document: &mut Document<'_>, section: &Section<'_>, key: &str, with: Signal) -> Vec<Extra> {
    let mut out = Vec::new();
    for (text, place) in document.strings(section, key).unwrap_or_default() {
        match extra(text, with) {
            Ok(extra) => out.push(extra),
            Err(why) => document.problem(&place, format!("{key}: {why}")),
        }
    }
    out
}

fn extra(text: &str, with: Signal) -> Result<Extra, String> {
    let (name, rest) = text.find(['<', '>']).map_or((text, ""), |at| text.split_at(at));
    let signal = named_signal(name.trim())?;
    if signal.family() != with.family() {
        return Err(format!("{} and {} do not belong to the same instance", signal.name(), with.name()));
    }
    let flag = signal.unit() == crate::signals::signal::Unit::Flag;
    let threshold = if rest.is_empty() && flag { None } else { Some(Threshold::parse(rest, signal)?) };
    Ok(Extra { signal, threshold, text: text.to_owned() })
}

fn minutes(document: &mut Document<'_>, section: &Section<'_>, key: &str) -> Option<u32> {
    document.read(section, key, whole_minutes).map(|(minutes, _)| minutes)
}

/// A severity by its name.
pub fn severity(text: &str) -> Result<Severity, String> {
    [Severity::Info, Severity::Warning, Severity::Critical]
        .into_iter()
        .find(|severity| severity.name() == text)
        .ok_or_else(|| format!("\"{text}\" is none of info, warning, critical"))
}

fn severities(document: &mut Document<'_>, root: &Section<'_>) -> Option<[Severity; 3]> {
    if !root.has("severity") || root.is_string("severity") {
        return document.read(root, "severity", severity).map(|(severity, _)| [severity; 3]);
    }
    let table = document.section(root, "severity")?;
    let names = Tier::ALL.map(Tier::name);
    document.keys(&table, &names, &[]);
    let mut out = [None; 3];
    for (at, name) in names.into_iter().enumerate() {
        document.required(&table, name, "each tier needs a severity");
        out[at] = document.read(&table, name, severity).map(|(severity, _)| severity);
    }
    let [critical, standard, simple] = out;
    Some([critical?, standard?, simple?])
}
