//! What a signal's value means in words, subject first: `Nothing has left the queue orders for 18 min`.

use std::collections::BTreeMap;

use super::figure;
use super::judge::Standing;
use super::verdict::Verdict;
use crate::signals::signal::Signal;

/// The sentence's first part, before threshold and reason; none for a signal that is said by its name.
pub fn of(labels: &BTreeMap<String, String>, standing: &Standing, verdict: Verdict) -> Option<String> {
    let value = standing.value?;
    let said = figure::value(standing.signal.unit(), value);
    let is_over = verdict == Verdict::Clear;
    let label = |name: &str| labels.get(name).map_or("", String::as_str);
    let of_queue = match label("queue") {
        "" => "the queue".to_owned(),
        name => format!("the queue {name}"),
    };
    let named =
        |kind: &str, name: &str| if name.is_empty() { format!("the {kind}") } else { name.to_owned() };
    let (run, integration) = (named("job", label("run")), named("integration", label("integration")));
    let endpoint = named("endpoint", [label("peer"), label("endpoint")].join(" ").trim());
    let path = Some(label("path")).filter(|path| !path.is_empty()).unwrap_or("a field");
    let of_peer = match label("endpoint") {
        "" => format!("something of {}", named("vendor", label("peer"))),
        _ => endpoint.clone(),
    };
    let reconciliation = [label("reconciliation"), label("entity")].join(" ");
    let reconciliation = reconciliation.trim();
    let text = match (standing.signal, is_over) {
        (Signal::QueueGrowth, false) => format!("{of_queue} holds {said} its usual high"),
        (Signal::QueueGrowth, true) => format!("{of_queue} is back at {said} its usual high"),
        (Signal::QueueStalled, false) => format!("nothing has left {of_queue} for {said}"),
        (Signal::QueueStalled, true) => format!("items leave {of_queue} again"),
        (Signal::QueueDeadLetters, false) => format!("{said} of {of_queue} given up"),
        (Signal::QueueDeadLetters, true) => format!("no item of {of_queue} is given up any more"),
        (Signal::RunFailed, false) if value == 1.0 => format!("{run} failed"),
        (Signal::RunFailed, false) => format!("{run} failed {value:.0} times in a row"),
        (Signal::RunFailed, true) => format!("{run} succeeded again"),
        (Signal::RunOverdue, false) => format!("{run} is overdue by {said}"),
        (Signal::RunOverdue, true) => format!("{run} has run again"),
        (Signal::RunPartial, false) => format!("{run} did only a part of its work"),
        (Signal::RunPartial, true) => format!("{run} did all of its work again"),
        (Signal::RunFreshness, _) => format!("the data of {run} is {said} old"),
        (Signal::ReconciliationOverdue, false) => {
            format!("the reconciliation {reconciliation} is overdue by {said}")
        }
        (Signal::ReconciliationOverdue, true) => format!("the reconciliation {reconciliation} has run again"),
        (Signal::ContractDrift, false) => format!("{path} of {endpoint} changed"),
        (Signal::ContractDrift, true) => format!("{path} of {endpoint} is as it was, or accepted as it is"),
        (Signal::ContractViolations, false) => format!("{endpoint} broke its contract at {path}: {said}"),
        (Signal::ContractViolations, true) => format!("{endpoint} keeps its contract at {path}"),
        (Signal::ContractPageCap, false) => format!("pages of {endpoint} are capped at {said}"),
        (Signal::ContractPageCap, true) => format!("pages of {endpoint} are as large as they were"),
        (Signal::ContractRequestRejected, false) => {
            format!("{endpoint} rejects {said} of our requests as invalid")
        }
        (Signal::ContractRequestRejected, true) => format!("{endpoint} takes our requests again"),
        (Signal::VendorSunsetIn, false) if value <= 0.0 => format!("{of_peer} ended {said} ago"),
        (Signal::VendorSunsetIn, false) => format!("{of_peer} ends in {said}"),
        (Signal::VendorSunsetIn, true) => format!("{of_peer} does not end soon any more"),
        (Signal::WorkMissed, false) => {
            format!("{integration} does no work though {said} were to be expected")
        }
        (Signal::WorkMissed, true) => format!("{integration} works again"),
        (Signal::TelemetrySilence, false) => format!("nothing was heard of {integration} for {said}"),
        (Signal::TelemetrySilence, true) => format!("{integration} is heard again"),
        (Signal::TelemetryLostShare, false) => format!("{said} of what {integration} sent did not arrive"),
        (Signal::TelemetryLostShare, true) => format!("what {integration} sends arrives again"),
        _ => return None,
    };
    let mut letters = text.chars();
    let first = letters.next()?.to_uppercase();
    Some(first.chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::incident::Severity;
    use crate::alert::threshold::Threshold;

    fn said(signal: Signal, value: f64, fire: &str, labels: &[(&str, &str)], verdict: Verdict) -> String {
        let standing = Standing {
            at: 0,
            name: String::new(),
            severity: Severity::Critical,
            signal,
            fire: Threshold::parse(fire, signal).unwrap(),
            extra: None,
            value: Some(value),
        };
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        of(&labels, &standing, verdict).unwrap()
    }

    #[test]
    fn each_signal_says_its_subject_first() {
        use Verdict::{Breach, Clear};
        let queue = [("queue", "orders")];
        assert_eq!(
            said(Signal::QueueStalled, 1_080.0, "> 15 m", &queue, Breach),
            "Nothing has left the queue orders for 18 min"
        );
        assert_eq!(
            said(Signal::QueueStalled, 0.0, "> 15 m", &queue, Clear),
            "Items leave the queue orders again"
        );
        assert_eq!(
            said(Signal::QueueGrowth, 6.2, "> 3 x", &queue, Breach),
            "The queue orders holds 6.2 x its usual high"
        );
        assert_eq!(
            said(Signal::QueueDeadLetters, 1.0, ">= 1", &queue, Breach),
            "1 item of the queue orders given up"
        );
        let run = [("run", "nightly-export")];
        assert_eq!(said(Signal::RunFailed, 1.0, ">= 1", &run, Breach), "Nightly-export failed");
        assert_eq!(
            said(Signal::RunFailed, 3.0, ">= 1", &run, Breach),
            "Nightly-export failed 3 times in a row"
        );
        assert_eq!(
            said(Signal::RunOverdue, 900.0, "> 10 m", &run, Breach),
            "Nightly-export is overdue by 15 min"
        );
        let shop = [("integration", "shop")];
        assert_eq!(
            said(Signal::WorkMissed, 31.0, ">= 14", &shop, Breach),
            "Shop does no work though 31 events were to be expected"
        );
        assert_eq!(
            said(Signal::TelemetryLostShare, 0.05, ">= 1 %", &shop, Breach),
            "5 % of what shop sent did not arrive"
        );
        let path = [("endpoint", "GET /orders"), ("path", "$.total")];
        assert_eq!(said(Signal::ContractDrift, 1.0, ">= 1", &path, Breach), "$.total of GET /orders changed");
        let peer = [("peer", "api.stripe.com")];
        assert_eq!(
            said(Signal::VendorSunsetIn, 2_592_000.0, "<= 30 d", &peer, Breach),
            "Something of api.stripe.com ends in 30 d"
        );
    }
}
