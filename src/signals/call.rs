//! How one attempt ended, and how many operations were good: vocabulary section 3, semantics section 1.

use serde::{Deserialize, Serialize};

/// The class of an attempt. The order is the order of storage: append, never reorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Class {
    Ok,
    Partial,
    Rejected,
    Ignored,
    Cancelled,
    Throttled,
    Auth,
    AmbiguousRead,
    AmbiguousWrite,
    Validation,
    Timeout,
    Server,
    Network,
    Contract,
    Failed,
}

impl Class {
    /// All classes in the order of storage.
    pub const ALL: [Class; 15] = [
        Class::Ok,
        Class::Partial,
        Class::Rejected,
        Class::Ignored,
        Class::Cancelled,
        Class::Throttled,
        Class::Auth,
        Class::AmbiguousRead,
        Class::AmbiguousWrite,
        Class::Validation,
        Class::Timeout,
        Class::Server,
        Class::Network,
        Class::Contract,
        Class::Failed,
    ];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The class's name in the API, the vocabulary and the rules.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Ok => "ok",
            Class::Partial => "partial",
            Class::Rejected => "rejected",
            Class::Ignored => "ignored",
            Class::Cancelled => "cancelled",
            Class::Throttled => "throttled",
            Class::Auth => "auth",
            Class::AmbiguousRead => "ambiguous_read",
            Class::AmbiguousWrite => "ambiguous_write",
            Class::Validation => "validation",
            Class::Timeout => "timeout",
            Class::Server => "server",
            Class::Network => "network",
            Class::Contract => "contract",
            Class::Failed => "failed",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether a final attempt of this class is a good operation.
    pub const fn is_good(self) -> bool {
        matches!(self, Class::Ok | Class::Partial)
    }

    /// Whether a final attempt of this class is a bad operation whatever the company it is in.
    pub const fn is_bad(self) -> bool {
        matches!(
            self,
            Class::Auth
                | Class::Validation
                | Class::Server
                | Class::Timeout
                | Class::Network
                | Class::Contract
                | Class::Failed
        )
    }
}

/// Retries are taken off the classes in this order where it is not known what they replaced.
const RETRIABLE: [Class; 10] = [
    Class::Throttled,
    Class::Network,
    Class::Timeout,
    Class::Server,
    Class::Auth,
    Class::Validation,
    Class::Contract,
    Class::Failed,
    Class::AmbiguousRead,
    Class::AmbiguousWrite,
];

/// Counts of one endpoint in one window, by class (index = `Class as usize`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Attempts {
    /// Attempts, weighted.
    pub attempts: [f64; Class::COUNT],
    /// Attempts that a retry replaced.
    pub superseded: [f64; Class::COUNT],
    /// Retries whose replaced attempt is not known.
    pub retries_unlinked: f64,
    /// Operations given up because of throttling.
    pub exhausted: f64,
}

/// Operations of one endpoint in one window, as judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Judged {
    /// Good operations.
    pub good: f64,
    /// Bad operations.
    pub bad: f64,
    /// All operations, judged or not, without cancelled and ignored.
    pub operations: f64,
    /// All attempts.
    pub attempts: f64,
}

impl Judged {
    /// good / (good + bad), a fraction of 1; none when nothing is judged.
    pub fn success_rate(&self) -> Option<f64> {
        let judged = self.good + self.bad;
        (judged > 0.0).then(|| self.good / judged)
    }

    /// Adds another endpoint's operations.
    pub fn add(&mut self, other: &Judged) {
        self.good += other.good;
        self.bad += other.bad;
        self.operations += other.operations;
        self.attempts += other.attempts;
    }
}

/// The last attempts of operations by class: attempts without those that a retry replaced.
pub fn finals(counts: &Attempts) -> [f64; Class::COUNT] {
    let mut superseded = counts.superseded;
    let mut left = counts.retries_unlinked;
    for class in RETRIABLE {
        let at = class as usize;
        let take = left.min(counts.attempts[at] - superseded[at]);
        if take > 0.0 {
            superseded[at] += take;
            left -= take;
        }
    }
    std::array::from_fn(|at| (counts.attempts[at] - superseded[at]).max(0.0))
}

/// Judges one endpoint's window (semantics section 1).
///
/// `seldom_before`: reads answered 404 or 410 were under half of the operations of the 7 days before.
pub fn judge(counts: &Attempts, seldom_before: bool) -> Judged {
    let finals = finals(counts);
    let mut judged = Judged::default();
    let mut gone = 0.0;
    for class in Class::ALL {
        let at = class as usize;
        let last = finals[at];
        judged.attempts += counts.attempts[at];
        match class {
            Class::Cancelled | Class::Ignored => continue,
            Class::AmbiguousRead => gone = last,
            _ if class.is_good() => judged.good += last,
            _ if class.is_bad() => judged.bad += last,
            _ => {}
        }
        judged.operations += last;
    }
    judged.bad += counts.exhausted;
    if judged.operations >= 20.0 && gone >= 0.95 * judged.operations && seldom_before {
        judged.bad += gone;
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        want: (f64, f64),
        attempts: &'static [(Class, f64)],
        retries: f64,
        superseded: &'static [(Class, f64)],
        exhausted: f64,
    }

    const fn case(name: &'static str, want: (f64, f64), attempts: &'static [(Class, f64)]) -> Case {
        Case { name, want, attempts, retries: 0.0, superseded: &[], exhausted: 0.0 }
    }

    /// The cases of the reference for semantics section 1.
    #[test]
    fn the_reference_cases() {
        use Class::*;
        let cases = [
            case("unlinked 429s are not failures", (700.0, 0.0), &[(Ok, 700.0), (Throttled, 300.0)]),
            Case {
                retries: 1.0,
                ..case(
                    "one retried network error makes no cliff",
                    (701.0, 1.0),
                    &[(Ok, 701.0), (Throttled, 300.0), (Network, 1.0)],
                )
            },
            Case {
                retries: 30.0,
                ..case("paced backfill, linked retries", (100.0, 0.0), &[(Ok, 100.0), (Throttled, 30.0)])
            },
            Case {
                retries: 0.0,
                superseded: &[(AmbiguousRead, 40.0)],
                ..case(
                    "404, 404, ok and final 500s, sibling known",
                    (80.0, 20.0),
                    &[(Ok, 80.0), (AmbiguousRead, 40.0), (Server, 20.0)],
                )
            },
            Case {
                superseded: &[(Throttled, 30.0)],
                exhausted: 10.0,
                ..case("exhausted throttling fails", (50.0, 10.0), &[(Ok, 50.0), (Throttled, 40.0)])
            },
            case("80 % 409 on upserts", (20.0, 0.0), &[(Ok, 20.0), (AmbiguousWrite, 80.0)]),
            case("80 % 404 on lookups", (20.0, 0.0), &[(Ok, 20.0), (AmbiguousRead, 80.0)]),
            case("endpoint gone", (1.0, 99.0), &[(Ok, 1.0), (AmbiguousRead, 99.0)]),
            case("partial is good for the call", (10.0, 0.0), &[(Ok, 9.0), (Partial, 1.0)]),
            Case {
                retries: 1.0,
                ..case("cancelled retry", (5.0, 0.0), &[(Ok, 5.0), (Cancelled, 1.0), (Server, 1.0)])
            },
            case("nothing judged", (0.0, 0.0), &[(Throttled, 100.0)]),
        ];
        for case in cases {
            let mut counts =
                Attempts { retries_unlinked: case.retries, exhausted: case.exhausted, ..Attempts::default() };
            for (class, n) in case.attempts {
                counts.attempts[*class as usize] = *n;
            }
            for (class, n) in case.superseded {
                counts.superseded[*class as usize] = *n;
            }
            let judged = judge(&counts, true);
            assert_eq!((judged.good, judged.bad), case.want, "{}", case.name);
        }
    }
}
