//! `seamwatch check --explain INTEGRATION`: every rule as it stands for one integration, with the overrides that made it so.

use crate::alert::overrides::{Override, effective};
use crate::alert::rule::{Condition, Filter, Resolve, Rule, RuleSet};
use crate::alert::threshold::Threshold;
use crate::alert::tier::Tier;
use crate::config::Config;
use crate::signals::signal::Label;

/// The rules as text, one paragraph each.
pub fn explain(config: &Config, rules: &RuleSet, integration: &str) -> String {
    let said =
        config.integration.iter().find(|one| one.name == integration).and_then(|one| one.tier.as_deref());
    let tier = said.and_then(Tier::from_name).unwrap_or_default();
    let source = if said.is_some() { "by the configuration" } else { "unless its telemetry says otherwise" };
    let mut out = format!("{integration}, tier {} {source}\n", tier.name());
    for rule in rules.rules.iter().filter(|rule| may_judge(&rule.filter, integration, tier)) {
        out.push('\n');
        out.push_str(&paragraph(rule, &rules.overrides, integration, tier));
    }
    out
}

fn may_judge(filter: &Filter, integration: &str, tier: Tier) -> bool {
    filter.clauses.iter().all(|clause| match clause.label {
        Label::Integration => clause.admits(integration),
        Label::Tier => clause.admits(tier.name()),
        _ => true,
    })
}

fn paragraph(rule: &Rule, overrides: &[Override], integration: &str, tier: Tier) -> String {
    let value = |label: Label| match label {
        Label::Integration => integration,
        Label::Tier => tier.name(),
        _ => "",
    };
    let mut out = format!("{}\n", rule.id);
    match effective(rule, overrides, value) {
        None => out.push_str("  off\n"),
        Some(rule) => {
            conditions(&rule, tier).iter().for_each(|line| out.push_str(&format!("  {line}\n")));
            let told = if rule.to.is_empty() { "its owner".to_owned() } else { rule.to.join(", ") };
            let times = rule.times;
            out.push_str(&format!(
                "  for {}m, clear for {}m; {} is told; runbook {}\n",
                times.hold_for, times.keep_firing_for, told, rule.runbook
            ));
        }
    }
    for one in overrides.iter().filter(|one| *one.rule == *rule.id) {
        if may_judge(&one.filter, integration, tier) {
            let (place, whom, says) = (&one.place, one.whom(), one.says().join(", "));
            out.push_str(&format!("  {place} for {whom}: {says} ({})\n", one.reason));
        }
    }
    out
}

fn conditions(rule: &Rule, tier: Tier) -> Vec<String> {
    let line = |signal: &str, fire: &Threshold, resolve: &Resolve, severity: &str| {
        let over = match resolve {
            Resolve::At(at) => at.to_string(),
            Resolve::Renewed => "renewed".into(),
            Resolve::Matched => "matched".into(),
        };
        format!("{signal} fires {fire}, resolves {over}, {severity}")
    };
    match &rule.condition {
        Condition::Levels(measure, levels) => levels
            .iter()
            .filter(|level| may_judge(&level.filter, "", tier))
            .map(|level| {
                let severity = level.severity.unwrap_or_else(|| rule.severity_for(tier)).name();
                let text = line(measure.signal.name(), &level.fire, &level.resolve, severity);
                if level.name.is_empty() { text } else { format!("{}: {text}", level.name) }
            })
            .collect(),
        Condition::Any(branches) => branches
            .iter()
            .map(|branch| {
                let severity = rule.severity_for(tier).name();
                line(branch.measure.signal.name(), &branch.fire, &branch.resolve, severity)
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Origin, shipped};

    #[test]
    fn every_rule_is_told_as_it_stands() {
        let set = Origin::embedded(shipped::RULES, shipped::RUNBOOKS).load().unwrap();
        let mut rules = (*set.rules).clone();
        let text = "schema = 1\n[[override]]\nrule = \"throttled\"\nwhere = { integration = [\"crm\"] }\nreason = \"a known backfill\"\noff = true\n";
        rules.overrides =
            crate::alert::overrides::parse("alerts/overrides.toml", text, &rules.rules).unwrap();
        let told = explain(&Config::default(), &rules, "crm");
        assert!(
            told.contains(
                "throttled\n  off\n  alerts/overrides.toml:3 for integration = crm: off (a known backfill)"
            ),
            "{told}"
        );
        assert!(told.contains("\nsuccess-rate-low\n  call.success_rate fires <"), "{told}");
        let elsewhere = explain(&Config::default(), &rules, "other");
        assert!(!elsewhere.contains("a known backfill"), "{elsewhere}");
        for rule in &rules.rules {
            assert!(elsewhere.contains(&format!("\n{}\n", rule.id)), "{}", rule.id);
        }
    }
}
