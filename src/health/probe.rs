//! `probe.failures`: a receiver of ours, asked from outside. When it is down nothing inside fails (semantics section 7).

use super::say::{span, when};
use super::value::Value;
use crate::rollup::state::probe::Tries;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Label, Signal};

/// The value of a probe by its tries; none before the first.
pub fn value(name: &str, whose: &IntegrationKey, tries: &Tries) -> Option<Value> {
    let last = tries.latest.last()?;
    let failing = tries.failing();
    let why = match failing.first() {
        Some(first) => format!("{} since {}, {} tries in a row", last.met, when(first.time), failing.len()),
        None => {
            let took = match last.took_ms {
                ms @ ..1_000 => format!("{ms} ms"),
                ms => span((ms / 1_000) as i64),
            };
            format!("{} in {took} at {}", last.met, when(last.time))
        }
    };
    let value =
        Value::shared(Signal::ProbeFailures, failing.len() as f64, last.time).with(Label::Probe, name);
    let value = value.with(Label::Integration, &whose.name).with(Label::Environment, &whose.environment);
    Some(value.because(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::series::Merge;
    use crate::rollup::state::probe::Try;

    #[test]
    fn a_value_counts_failures_in_a_row_and_says_what_was_met() {
        let whose = IntegrationKey { environment: "default".into(), name: "shop".into() };
        let mut tries = Tries::default();
        assert_eq!(value("hooks", &whose, &tries), None);
        let mut tried = |minute: i64, well: bool, met: &str| {
            let time = minute * 60_000_000_000;
            tries.merge(&Tries::of(Try { time, took_ms: 120, well, met: met.into() }));
            value("hooks", &whose, &tries).unwrap()
        };
        let well = tried(1, true, "HTTP 200");
        assert_eq!((well.value, &*well.why), (0.0, "HTTP 200 in 120 ms at 1970-01-01T00:01:00Z"));
        assert_eq!(tried(2, false, "HTTP 502").value, 1.0);
        let down = tried(3, false, "shop.example did not answer within 10 s.");
        assert_eq!(down.value, 2.0);
        assert!(down.why.ends_with("since 1970-01-01T00:02:00Z, 2 tries in a row"), "{}", down.why);
        assert_eq!(tried(4, true, "HTTP 200").value, 0.0);
    }
}
