//! How well an integration is built to run unattended, as far as its telemetry shows: a checklist, each line judged from
//! evidence alone, and what nobody would see.
//!
//! What no telemetry speaks of is unknown, never met.

use super::day::Day;
use super::value::Value;

use crate::rollup::window::Part;
use crate::signals::call::Class;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Family, Signal};
use crate::signals::vocabulary::Metric;

/// What the evidence says of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is so.
    Met,
    /// It is not so.
    Missing,
    /// Nothing tells.
    Unknown,
    /// It does not do what this is for.
    NotNeeded,
}

impl Verdict {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missing => "missing",
            Verdict::Unknown => "unknown",
            Verdict::NotNeeded => "not_needed",
        }
    }
}

/// One line of the checklist.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What a well-built integration does.
    pub title: &'static str,
    /// Whether this one does.
    pub verdict: Verdict,
    /// What says so.
    pub evidence: String,
    /// What to send or do so that it is met, or seen; empty where it is met.
    pub fix: &'static str,
}

/// What readiness is read from.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'e> {
    /// Whose.
    pub key: &'e IntegrationKey,
    /// A day of minutes: calls, gauges and counters.
    pub day: &'e Part,
    /// Slots, reconciliations, runs, registrations.
    pub states: &'e Part,
    /// What the signals said at the last tick.
    pub values: &'e [&'e Value],
    /// Failing calls that were kept whole, and how many of them with what came back.
    pub failures: (u64, u64),
    /// Rules in force: (id, signals).
    pub rules: &'e [(String, Vec<Signal>)],
}

/// The checklist, in the order of the five points at which integrations break.
pub fn checklist(evidence: &Evidence<'_>) -> Vec<Line> {
    let day = Day::of(evidence);
    vec![
        schema(evidence, &day),
        payloads(evidence),
        limits(evidence, &day),
        retries(&day),
        spread(&day),
        queue(&day),
        service_account(evidence),
        proactive(&day, evidence),
        token_health(evidence, &day),
        signatures(&day),
        idempotent(&day),
        reconciled(evidence),
        runs(evidence),
        owner(evidence),
    ]
}

fn line(title: &'static str, verdict: Verdict, evidence: String, fix: &'static str) -> Line {
    Line {
        title,
        verdict,
        evidence,
        fix: if verdict == Verdict::Missing || verdict == Verdict::Unknown { fix } else { "" },
    }
}

pub(super) fn says(evidence: &Evidence<'_>, family: Family) -> bool {
    evidence.values.iter().any(|value| value.signal.family() == family)
}

fn schema(evidence: &Evidence<'_>, day: &Day) -> Line {
    let title = "Checks every answer against a schema of its own";
    let fix = "Send integration.contract.shape events, or count integration.contract.violations; seamwatch-exporter does \
               both from one call a response.";
    let shapes = says(evidence, Family::Contract);
    if shapes || day.has(Metric::ContractViolations) {
        let what = if shapes { "shapes of its answers arrive" } else { "violations are counted" };
        return line(title, Verdict::Met, what.into(), fix);
    }
    let nothing = day.calls.0 == 0.0;
    let verdict = if nothing { Verdict::NotNeeded } else { Verdict::Unknown };
    line(
        title,
        verdict,
        if nothing { "it calls nobody".into() } else { "no shape or violation was sent".into() },
        fix,
    )
}

fn payloads(evidence: &Evidence<'_>) -> Line {
    let title = "Logs what came back with every failure";
    let fix = "Set integration.payload (16 KB at most; secrets are taken out here too) on the span of a failing call.";
    let (failures, with) = evidence.failures;
    match (failures, with) {
        (0, _) => line(title, Verdict::Unknown, "no call failed yet".into(), fix),
        (failures, 0) => {
            line(title, Verdict::Missing, format!("{failures} failing calls, none with its answer"), fix)
        }
        (failures, with) => {
            line(title, Verdict::Met, format!("{with} of {failures} failing calls with their answer"), fix)
        }
    }
}

fn limits(evidence: &Evidence<'_>, day: &Day) -> Line {
    let title = "Reads the rate-limit headers";
    let fix = "Capture the response headers (x-ratelimit-remaining, ratelimit, retry-after) on the client span, or send \
               integration.rate_limit.remaining and .limit.";
    if day.has(Metric::RateLimitRemaining) || says(evidence, Family::RateLimit) {
        return line(title, Verdict::Met, "what is left of a limit arrives".into(), fix);
    }
    let throttled = day.all.attempts[Class::Throttled as usize];
    if throttled > 0.0 {
        return line(
            title,
            Verdict::Missing,
            format!("{throttled:.0} throttled answers in a day, and no headroom"),
            fix,
        );
    }
    let nothing = day.calls.0 == 0.0;
    let verdict = if nothing { Verdict::NotNeeded } else { Verdict::Unknown };
    line(
        title,
        verdict,
        if nothing { "it calls nobody".into() } else { "nothing was throttled in a day".into() },
        fix,
    )
}

fn retries(day: &Day) -> Line {
    let title = "Retries, and knows when to stop";
    let fix = "Set http.request.resend_count on retries and integration.retry.exhausted when giving up; back off \
               exponentially, with jitter.";
    let attempts: f64 = day.all.attempts.iter().sum();
    let retried = day.all.superseded.iter().sum::<f64>() + day.all.retries_unlinked;
    let retriable = [Class::Throttled, Class::Network, Class::Timeout, Class::Server];
    let failed: f64 = retriable.iter().map(|class| day.all.attempts[*class as usize]).sum();
    match (attempts, retried, failed) {
        (0.0, ..) => line(title, Verdict::NotNeeded, "it calls nobody".into(), fix),
        (attempts, retried, _) if retried > 0.0 && attempts > 3.0 * (attempts - retried) => {
            let amplified = attempts / (attempts - retried).max(1.0);
            line(
                title,
                Verdict::Missing,
                format!("{amplified:.1} attempts for one operation: retries make it worse"),
                fix,
            )
        }
        (_, retried, _) if retried > 0.0 => line(
            title,
            Verdict::Met,
            format!("{retried:.0} retries in a day, linked to what they replace"),
            fix,
        ),
        (_, _, failed) if failed >= 5.0 => line(
            title,
            Verdict::Missing,
            format!("{failed:.0} attempts failed in passing, none was tried again"),
            fix,
        ),
        _ => line(title, Verdict::Unknown, "nothing had to be tried again in a day".into(), fix),
    }
}

fn spread(day: &Day) -> Line {
    let title = "Does not start at the full hour";
    let fix = "Stagger scheduled jobs: a random minute for each is enough.";
    let (all, first) = day.calls;
    if all < 100.0 {
        return line(title, Verdict::NotNeeded, "fewer than 100 calls in a day".into(), fix);
    }
    let times = (first / all) / (5.0 / 60.0);
    let verdict = if times > 3.0 { Verdict::Missing } else { Verdict::Met };
    line(title, verdict, format!("{times:.1} times the even share of calls in minutes 0 to 4"), fix)
}

fn queue(day: &Day) -> Line {
    let title = "Keeps work in a persistent queue";
    let fix =
        "Send integration.queue.depth and integration.queue.oldest_age of the queue between event and call.";
    if day.has(Metric::QueueDepth) {
        return line(title, Verdict::Met, "its depth arrives".into(), fix);
    }
    let needed = day.deliveries > 0.0;
    let verdict = if needed { Verdict::Missing } else { Verdict::Unknown };
    line(
        title,
        verdict,
        if needed {
            "events come in, and no queue is reported".into()
        } else {
            "no queue is reported".into()
        },
        fix,
    )
}

fn service_account(evidence: &Evidence<'_>) -> Line {
    let title = "Acts as a service account";
    let fix = "Send integration.credential.owner.type with integration.credential.info; move what a person authorised to a \
               service account.";
    let own = evidence.states.slots.iter().filter(|(key, _)| key.integration == *evidence.key);
    let kinds: Vec<(String, Option<String>)> =
        own.map(|(key, slot)| (key.credential.to_string(), slot.owner_type.get().cloned())).collect();
    if let Some((credential, _)) = kinds.iter().find(|(_, kind)| kind.as_deref() == Some("person")) {
        return line(title, Verdict::Missing, format!("{credential} belongs to a person"), fix);
    }
    let known = kinds.iter().filter(|(_, kind)| kind.is_some()).count();
    match (kinds.len(), known) {
        (0, _) => line(title, Verdict::Unknown, "no credential is reported".into(), fix),
        (_, 0) => line(title, Verdict::Unknown, "no credential says who owns it".into(), fix),
        (_, known) => line(title, Verdict::Met, format!("{known} credentials of service accounts"), fix),
    }
}

fn proactive(day: &Day, evidence: &Evidence<'_>) -> Line {
    let title = "Renews tokens before they expire";
    let fix = "Refresh at half of the lifetime and set integration.trigger = proactive on \
               integration.credential.refreshes.";
    let of = |trigger: &str| -> f64 {
        day.triggers.iter().filter(|(name, _)| name == trigger).map(|(_, count)| count).sum()
    };
    let (proactive, reactive) = (of("proactive"), of("reactive"));
    let automatic = evidence.states.slots.iter().any(|(key, slot)| {
        key.integration == *evidence.key && slot.renewal.get().is_some_and(|how| how == "automatic")
    });
    match (proactive, reactive) {
        (_, reactive) if reactive > 0.0 => line(
            title,
            Verdict::Missing,
            format!("{reactive:.0} refreshes in a day only after a call had failed"),
            fix,
        ),
        (proactive, _) if proactive > 0.0 => {
            line(title, Verdict::Met, format!("{proactive:.0} refreshes in a day, all ahead of time"), fix)
        }
        _ if automatic => {
            line(title, Verdict::Unknown, "renewed automatically; when is not said".into(), fix)
        }
        _ => line(title, Verdict::NotNeeded, "no token is renewed automatically".into(), fix),
    }
}

fn token_health(evidence: &Evidence<'_>, day: &Day) -> Line {
    let title = "Says when its credentials expire";
    let fix = "Send integration.credential.expires_at (or integration.credential.expiry = never) for each credential.";
    let own: Vec<_> =
        evidence.states.slots.iter().filter(|(key, _)| key.integration == *evidence.key).collect();
    let known = own.iter().filter(|(_, slot)| slot.expires_at().is_some() || slot.never_expires()).count();
    match (own.len(), known) {
        (0, _) if day.calls.0 == 0.0 => line(title, Verdict::NotNeeded, "it calls nobody".into(), fix),
        (0, _) => line(title, Verdict::Missing, "it calls others, and no credential is reported".into(), fix),
        (all, known) if known == all => {
            line(title, Verdict::Met, format!("{all} credentials, all with their end"), fix)
        }
        (all, known) => {
            line(title, Verdict::Missing, format!("{known} of {all} credentials say when they end"), fix)
        }
    }
}

fn signatures(day: &Day) -> Line {
    let title = "Verifies webhooks and counts what it rejects";
    let fix = "Count integration.webhook.deliveries by result and reason where the signature is checked.";
    match (day.deliveries, day.rejected_by_signature) {
        (0.0, _) => line(title, Verdict::NotNeeded, "no webhook came in".into(), fix),
        (all, 0.0) => line(
            title,
            Verdict::Unknown,
            format!("{all:.0} deliveries, none rejected for its signature"),
            fix,
        ),
        (all, bad) => line(
            title,
            Verdict::Met,
            format!("{bad:.0} of {all:.0} deliveries were rejected for their signature"),
            fix,
        ),
    }
}

fn idempotent(day: &Day) -> Line {
    let title = "Writes with idempotency keys";
    let fix = "Send a key with every write, and its hash as integration.idempotency.key_hash on the span.";
    let (writes, keyed) = (day.all.writes, day.all.writes_keyed);
    match (writes, keyed) {
        (0, _) => line(title, Verdict::NotNeeded, "it writes nothing".into(), fix),
        (writes, keyed) => {
            let verdict = if keyed * 100 >= writes * 99 { Verdict::Met } else { Verdict::Missing };
            line(title, verdict, format!("{keyed} of {writes} writes in a day carried a key"), fix)
        }
    }
}

fn reconciled(evidence: &Evidence<'_>) -> Line {
    let title = "Is reconciled against its source";
    let fix = "Run a job that counts both sides and sends integration.reconciliation.completed; a POST to /report with \
               expected and reconciled will do.";
    let runs = evidence.states.reconciliations.keys().filter(|run| run.integration == *evidence.key).count();
    let verdict = if runs > 0 { Verdict::Met } else { Verdict::Missing };
    line(
        title,
        verdict,
        if runs > 0 { format!("{runs} runs are known") } else { "no run was ever reported".into() },
        fix,
    )
}

fn runs(evidence: &Evidence<'_>) -> Line {
    let title = "Says how its jobs ended";
    let fix = "Send integration.run.completed with outcome, records and the next run; or POST /report at the job's end.";
    let own = || evidence.states.runs.iter().filter(|run| run.integration == *evidence.key);
    let with_next = own().filter(|run| run.next_at.is_some()).count();
    match (own().count(), with_next) {
        (0, _) => line(title, Verdict::Unknown, "no run was reported".into(), fix),
        (all, 0) => {
            line(title, Verdict::Met, format!("{all} runs with their outcome, none with the next"), fix)
        }
        (all, _) => line(title, Verdict::Met, format!("{all} runs with their outcome and the next"), fix),
    }
}

fn owner(evidence: &Evidence<'_>) -> Line {
    let title = "Somebody owns it";
    let fix = "Set integration.owner.name, or owner in its [[integration]] entry, and give the owner an address in [owners].";
    let owner = evidence.states.integrations.get(evidence.key).and_then(|seen| seen.owner.get());
    match owner.filter(|owner| !owner.is_empty()) {
        Some(owner) => line(title, Verdict::Met, format!("its telemetry names {owner}"), fix),
        None => line(title, Verdict::Missing, "its telemetry names nobody".into(), fix),
    }
}

#[cfg(test)]
mod tests;
