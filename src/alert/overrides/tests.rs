use super::super::parse;
use super::*;

const LOW: &str = r#"
schema   = 1
id       = "success-rate-low"
title    = "{peer} {endpoint} success rate"
runbook  = "success-rate-low.md"
signal   = "call.success_rate"
by       = ["integration", "environment", "direction", "peer", "endpoint"]
window   = "5m"
for      = "5m"
keep_firing_for = "5m"
min_count = 20
min_bad   = 3
[[level]]
where    = { tier = "critical" }
severity = "critical"
fire     = "< 95 %"
resolve  = ">= 98 %"
[[level]]
where    = { tier = "simple" }
severity = "warning"
fire     = "< 80 %"
resolve  = ">= 90 %"
"#;

fn rules() -> Vec<Rule> {
    vec![parse::parse("success-rate-low.toml", LOW).unwrap()]
}

fn read(text: &str) -> Result<Vec<Override>, Vec<Problem>> {
    parse("overrides.toml", text, &rules())
}

fn at(label: Label) -> &'static str {
    match label {
        Label::Integration => "stripe-xero",
        Label::Environment => "production",
        Label::Endpoint => "GET /v1/charges",
        Label::Tier => "critical",
        _ => "",
    }
}

#[test]
fn the_most_specific_has_the_last_word_and_the_rest_stays() {
    let text = r#"
schema = 1
[[override]]
rule = "success-rate-low"
where = { integration = ["stripe-xero"], endpoint = ["GET /v1/charges"] }
reason = "a report that fails every morning"
fire = "< 50 %"
resolve = ">= 60 %"
[[override]]
rule = "success-rate-low"
where = { integration = ["stripe-xero"] }
reason = "the vendor is slow to mend"
fire = "< 70 %"
severity = "warning"
for = "10m"
to = ["finance@example.com"]
"#;
    let overrides = read(text).unwrap();
    let rules = rules();
    let found = effective(&rules[0], &overrides, at).unwrap();
    let Condition::Levels(_, levels) = &found.condition else { panic!("levels") };
    assert_eq!(levels[0].fire.to_string(), "< 50 %");
    assert_eq!(
        (levels[0].severity, found.times.hold_for, found.times.keep_firing_for),
        (Some(Severity::Warning), 10, 5)
    );
    assert_eq!(found.to, ["finance@example.com"]);
    let elsewhere =
        effective(
            &rules[0],
            &overrides,
            |label| if label == Label::Integration { "other" } else { at(label) },
        );
    assert_eq!(*elsewhere.unwrap(), rules[0]);
    assert_eq!(
        (overrides[1].place.as_str(), overrides[1].whom().as_str()),
        ("overrides.toml:4", "endpoint = GET /v1/charges, integration = stripe-xero")
    );
}

#[test]
fn one_can_be_off() {
    let text = "schema = 1\n[[override]]\nrule = \"success-rate-low\"\nwhere = { environment = [\"production\"], tier = [\"critical\"] }\nreason = \"being replaced\"\noff = true\n";
    assert_eq!(effective(&rules()[0], &read(text).unwrap(), at), None);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let wrong = |body: &str| {
        let text = format!("schema = 1\n[[override]]\n{body}");
        read(&text).unwrap_err().iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
    };
    let some = "where = { integration = [\"a\"] }\nreason = \"because of it\"\n";
    assert!(wrong(&format!("rule = \"success-rate-lo\"\n{some}off = true\n")).contains(
        "overrides.toml:3:8 rule: there is no rule success-rate-lo; did you mean success-rate-low?"
    ));
    assert!(wrong(&format!("rule = \"success-rate-low\"\n{some}")).contains("it changes nothing"));
    assert!(wrong(&format!("rule = \"success-rate-low\"\n{some}fire = \"> 2 s\"\n")).contains("fire"));
    assert!(
        wrong(&format!("rule = \"success-rate-low\"\n{some}fire = \"< 90 %\"\nresolve = \">= 80 %\"\n"))
            .contains("lies inside")
    );
    assert!(
        wrong("rule = \"success-rate-low\"\nreason = \"because of it\"\noff = true\n")
            .contains("where is missing")
    );
    assert!(wrong("rule = \"success-rate-low\"\nwhere = { connection = [\"a\"] }\nreason = \"because of it\"\noff = true\n").contains("does not tell instances"));
    assert!(
        wrong(&format!("rule = \"success-rate-low\"\n{some}level = \"7d\"\noff = true\n"))
            .contains("has no level 7d")
    );
    assert!(
        wrong(&format!("rule = \"success-rate-low\"\n{some}thresold = 1\noff = true\n")).contains("thresold")
    );
}
