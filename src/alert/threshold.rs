//! Thresholds as rules write them: `< 95 %`, `> 2 s`, `>= 1 record`, `<= 0 s`, `> 3 x`; and plain durations.

use std::fmt;

use crate::signals::signal::{Signal, Unit};

/// Which side of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Comparison {
    Below,
    AtMost,
    AtLeast,
    Above,
}

/// A limit that a value meets or does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Which side.
    pub comparison: Comparison,
    /// The limit in the signal's base unit (fraction of 1, seconds, times, count, per minute).
    pub limit: f64,
    /// As the rule writes it, with single spaces: `< 95 %`.
    pub text: String,
}

impl fmt::Display for Threshold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Threshold {
    /// Reads a threshold for a signal; the error is a sentence's second half (`unit "%" does not fit …`).
    pub fn parse(text: &str, signal: Signal) -> Result<Threshold, String> {
        if signal.unit() == Unit::Flag {
            return Err(format!("{} is yes or no and takes no threshold", signal.name()));
        }
        let text = text.trim();
        let comparisons = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Below),
            (">", Comparison::Above),
        ];
        let Some((sign, comparison, quantity)) = comparisons
            .into_iter()
            .find_map(|(sign, comparison)| Some((sign, comparison, text.strip_prefix(sign)?.trim())))
        else {
            return Err(format!("\"{text}\" must begin with <, <=, > or >=, like \"{}\"", example(signal)));
        };
        let (number, unit) = split(quantity);
        let limit = base_value(number, unit, signal)?;
        let text = [sign, number, unit].join(" ");
        Ok(Threshold { comparison, limit, text: text.trim_end().to_owned() })
    }

    /// In words, for a person who does not read rules, as what stands behind "fires": `under 95 %`, `over 1 min`, `at 10
    /// records or more`.
    pub fn words(&self, signal: Signal) -> String {
        let limit = super::figure::value(signal.unit(), self.limit);
        match self.comparison {
            Comparison::Below => format!("under {limit}"),
            Comparison::AtMost => format!("at {limit} or less"),
            Comparison::AtLeast => format!("at {limit} or more"),
            Comparison::Above => format!("over {limit}"),
        }
    }

    /// Whether a value meets it.
    pub fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Below => value < self.limit,
            Comparison::AtMost => value <= self.limit,
            Comparison::AtLeast => value >= self.limit,
            Comparison::Above => value > self.limit,
        }
    }

    /// Whether small values meet it.
    pub fn is_upper_bound(&self) -> bool {
        matches!(self.comparison, Comparison::Below | Comparison::AtMost)
    }

    /// Whether a value that fires can also resolve: both ranges share a value or point the same way.
    pub fn overlaps(&self, other: &Threshold) -> bool {
        if self.is_upper_bound() == other.is_upper_bound() {
            return true;
        }
        let (upper, lower) = if self.is_upper_bound() { (self, other) } else { (other, self) };
        let closed = upper.comparison == Comparison::AtMost && lower.comparison == Comparison::AtLeast;
        lower.limit < upper.limit || (closed && lower.limit == upper.limit)
    }

    /// Whether every value that meets it also meets the other: it is the stricter rung of a ladder.
    pub fn is_within(&self, other: &Threshold) -> bool {
        if self.is_upper_bound() != other.is_upper_bound() {
            return false;
        }
        let open =
            |threshold: &Threshold| matches!(threshold.comparison, Comparison::Below | Comparison::Above);
        if self.limit == other.limit {
            return open(self) || !open(other);
        }
        (self.limit < other.limit) == self.is_upper_bound()
    }

    /// Whether `a` is worse than `b` where this threshold fires.
    pub fn is_worse(&self, a: f64, b: f64) -> bool {
        if self.is_upper_bound() { a < b } else { a > b }
    }
}

/// Reads a duration that must be whole minutes (`for = "5m"`); gives minutes.
pub fn whole_minutes(text: &str) -> Result<u32, String> {
    let (number, unit) = split(text.trim());
    let not_one = || format!("\"{text}\" is no duration; write it like \"5m\"");
    let seconds = seconds(number, unit).ok_or_else(not_one)?;
    if seconds < 0.0 || seconds % 60.0 != 0.0 {
        return Err(format!("\"{text}\" is not whole minutes, and rules are judged once a minute"));
    }
    if seconds > 31.0 * 86_400.0 {
        return Err(format!("\"{text}\" is longer than 31 days"));
    }
    Ok((seconds / 60.0) as u32)
}

/// A number and what stands behind it.
fn split(quantity: &str) -> (&str, &str) {
    let end = quantity
        .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | '-' | '_')))
        .unwrap_or(quantity.len());
    (quantity[..end].trim(), quantity[end..].trim())
}

fn base_value(number: &str, unit: &str, signal: Signal) -> Result<f64, String> {
    let misfit = || format!("unit \"{unit}\" does not fit {} ({})", signal.name(), signal.unit());
    let plain = |shift: i32| {
        // The exponent is part of the text, so that 99.9 % is the double nearest to 0.999.
        format!("{}e{shift}", number.replace('_', ""))
            .parse::<f64>()
            .ok()
            .filter(|value| value.is_finite())
            .ok_or_else(|| format!("\"{number}\" is no number; write it like \"{}\"", example(signal)))
    };
    let missing =
        || format!("a unit is missing: {} is {}, like \"{}\"", signal.name(), signal.unit(), example(signal));
    match signal.unit() {
        Unit::Share if unit == "%" => plain(-2),
        Unit::Times if matches!(unit, "x" | "×") => plain(0),
        Unit::PerMinute if matches!(unit, "per min" | "/min" | "/ min") => plain(0),
        Unit::Count(noun) if unit.is_empty() || unit == noun || unit == super::figure::plural(noun, 2.0) => {
            plain(0)
        }
        Unit::Duration if seconds("1", unit).is_some() => {
            plain(0)?;
            seconds(number, unit).ok_or_else(misfit)
        }
        _ if unit.is_empty() => Err(missing()),
        _ => Err(misfit()),
    }
}

/// A duration in seconds.
fn seconds(number: &str, unit: &str) -> Option<f64> {
    let (factor, shift) = match unit {
        "ms" => (1.0, -3),
        "s" => (1.0, 0),
        "m" | "min" => (60.0, 0),
        "h" => (3600.0, 0),
        "d" => (86_400.0, 0),
        _ => return None,
    };
    let value: f64 = format!("{}e{shift}", number.replace('_', "")).parse().ok()?;
    let value = value * factor;
    value.is_finite().then_some(value)
}

fn example(signal: Signal) -> String {
    match signal.unit() {
        Unit::Share => "< 95 %".into(),
        Unit::Duration => "> 15 m".into(),
        Unit::Times => "> 3 x".into(),
        Unit::Count(noun) => format!(">= 1 {noun}"),
        Unit::PerMinute => "< 1 per min".into(),
        Unit::Flag => signal.name().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, signal: Signal) -> Threshold {
        Threshold::parse(text, signal).unwrap()
    }

    #[test]
    fn limits_are_kept_in_base_units() {
        let cases = [
            ("< 95 %", Signal::CallSuccessRate, 0.95),
            ("<99.9%", Signal::CallSuccessRate, 0.999),
            ("> 2 s", Signal::LatencyP95, 2.0),
            ("<= 1500 ms", Signal::LatencyP95, 1.5),
            ("> 15 m", Signal::QueueOldestAge, 900.0),
            ("< 30 d", Signal::CredentialExpiresIn, 2_592_000.0),
            ("<= 0 s", Signal::CredentialExpiresIn, 0.0),
            (">= 1 record", Signal::ReconciliationGap, 1.0),
            (">= 10 records", Signal::ReconciliationGap, 10.0),
            ("> 1_000", Signal::QueueDepth, 1000.0),
            ("> 3 x", Signal::QueueGrowth, 3.0),
            ("< 0.5 per min", Signal::CallRate, 0.5),
        ];
        for (text, signal, limit) in cases {
            assert_eq!(read(text, signal).limit, limit, "{text}");
        }
        assert_eq!(read(" <95%", Signal::CallSuccessRate).text, "< 95 %");
    }

    #[test]
    fn a_threshold_in_words_has_its_unit() {
        let cases = [
            ("< 95 %", Signal::CallSuccessRate, "under 95 %"),
            ("> 15 m", Signal::QueueOldestAge, "over 15 min"),
            (">= 1 record", Signal::ReconciliationGap, "at 1 record or more"),
            ("<= 1500 ms", Signal::LatencyP95, "at 1.5 s or less"),
        ];
        for (text, signal, words) in cases {
            assert_eq!(read(text, signal).words(signal), words);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_sentence() {
        let refused = |text, signal| Threshold::parse(text, signal).unwrap_err();
        assert_eq!(
            refused("> 15 %", Signal::QueueOldestAge),
            "unit \"%\" does not fit queue.oldest_age (a duration)"
        );
        assert!(refused("95 %", Signal::CallSuccessRate).contains("must begin with"));
        assert!(refused("< 95", Signal::CallSuccessRate).starts_with("a unit is missing"));
        assert!(refused("< many %", Signal::CallSuccessRate).contains("does not fit"));
        assert!(refused("< 1.2.3 %", Signal::CallSuccessRate).contains("no number"));
        assert!(refused("> 1 run", Signal::ReconciliationGap).contains("does not fit"));
        assert!(refused("> 0", Signal::ReconciliationAmountDiffers).contains("yes or no"));
    }

    #[test]
    fn firing_and_resolving_ranges_must_lie_apart() {
        let overlaps = |fire, resolve| {
            read(fire, Signal::CallSuccessRate).overlaps(&read(resolve, Signal::CallSuccessRate))
        };
        assert!(!overlaps("< 95 %", ">= 98 %"));
        assert!(!overlaps("< 95 %", ">= 95 %"));
        assert!(overlaps("< 95 %", ">= 90 %"));
        assert!(overlaps("<= 95 %", ">= 95 %"));
        assert!(overlaps("< 95 %", "< 90 %"));
        assert!(!overlaps("> 50 %", "<= 10 %"));
    }

    #[test]
    fn a_ladder_narrows() {
        let within = |inner, outer| {
            read(inner, Signal::CredentialExpiresIn).is_within(&read(outer, Signal::CredentialExpiresIn))
        };
        assert!(within("< 7 d", "< 30 d"));
        assert!(within("<= 0 s", "< 1 d"));
        assert!(!within("< 30 d", "< 7 d"));
        assert!(!within("> 7 d", "< 30 d"));
    }

    #[test]
    fn durations_of_rules_are_whole_minutes() {
        assert_eq!(whole_minutes("5m"), Ok(5));
        assert_eq!(whole_minutes("0s"), Ok(0));
        assert_eq!(whole_minutes("120s"), Ok(2));
        assert_eq!(whole_minutes("1h"), Ok(60));
        assert!(whole_minutes("90s").unwrap_err().contains("whole minutes"));
        assert!(whole_minutes("-5m").unwrap_err().contains("whole minutes"));
        assert!(whole_minutes("five").unwrap_err().contains("no duration"));
        assert!(whole_minutes("").unwrap_err().contains("no duration"));
    }
}
