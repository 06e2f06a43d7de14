//! Digests: gathered when they are due, written once for each recipient and day, however often the server starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::alert::figure;
use crate::alert::incident::Incident;
use crate::alert::overlay::Withheld;
use crate::config::mail::{Digest as Configured, Every};
use crate::notify::digest::{self, Digest, Section, Timetable};
use crate::notify::prose::{Speaker, lasted};
use crate::signals::telemetry::Nanos;
use crate::store::mail::MailState;
use crate::store::{self, Error};
use crate::web::view::health::{self, Health};
use crate::web::view::reconciliation;
use crate::web::{State, load};

/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_secs(20);
/// A digest that could not be written for so long is left out: the next one comes.
const LATE: Nanos = 3 * HOUR;
const HOUR: Nanos = 3_600_000_000_000;
const DAY: Nanos = 24 * HOUR;
/// How far ahead an expiry is told.
const AHEAD: i64 = 30 * 86_400;
/// A rule that opened so many incidents is noisy.
const NOISY: usize = 5;
/// Mails of a period that are looked through.
const MAILS: u32 = 5_000;

/// Who gets a digest, and when.
struct Plan {
    to: Vec<String>,
    table: Timetable,
    weekly: bool,
}

impl Plan {
    /// As configured; what the configuration refuses is left out.
    fn of(configured: &[Configured]) -> Vec<Plan> {
        let one = |digest: &Configured| {
            let (at, zone) = digest.time().ok()?;
            let weekly = digest.every == Every::Week;
            let table = Timetable { on: weekly.then_some(digest.on), at, zone };
            Some(Plan { to: digest.to.clone(), table, weekly })
        };
        configured.iter().filter_map(one).collect()
    }
}

/// Writes what is due until `stop`.
pub async fn run(configured: Vec<Configured>, state: State, wake: Arc<Notify>, stop: CancellationToken) {
    let plans = Plan::of(&configured);
    if plans.is_empty() {
        return;
    }
    let mut written = BTreeSet::new();
    loop {
        for plan in &plans {
            match write(plan, &state, &mut written).await {
                Ok(true) => wake.notify_one(),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "A digest could not be written; it is tried again."),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Writes the digest of a plan to whom it is due; whether there was any.
async fn write(plan: &Plan, state: &State, written: &mut BTreeSet<String>) -> Result<bool, Error> {
    let now = (state.clock)();
    let Some((day, since)) = plan.table.due(now).filter(|(_, since)| now - since < LATE) else {
        return Ok(false);
    };
    let mut missing = Vec::new();
    for to in &plan.to {
        let id = digest::id(plan.weekly, day, to);
        if !written.contains(&id) && state.store.mail(&id).await?.is_none() {
            missing.push(to);
        }
    }
    if missing.is_empty() {
        return Ok(false);
    }
    let made = gather(plan, state, day, since).await?;
    let mails: Vec<_> = missing.iter().map(|to| digest::mail(&made, day, to, now)).collect();
    // The id is unique in the catalog: where another start came first, this adds nothing.
    state.store.write_mails(&mails).await?;
    written.extend(mails.into_iter().map(|mail| mail.id));
    Ok(true)
}

async fn gather(plan: &Plan, state: &State, day: NaiveDate, until: Nanos) -> Result<Digest, Error> {
    let now = (state.clock)();
    let period = if plan.weekly { 7 * DAY } else { DAY };
    let from = until - period;
    let zone = {
        use chrono::Offset;
        DateTime::from_timestamp_nanos(now).with_timezone(&plan.table.zone).offset().fix()
    };
    let speaker = Speaker { zone, now };
    let fleet = load::fleet(state, now).await?;
    let loaded = &fleet.loaded;
    let all = health::all(&loaded.sources(state, now));
    let opened: Vec<&Incident> =
        loaded.incidents.iter().filter(|one| (from..until).contains(&one.opened_at)).collect();
    let told: Vec<&Incident> =
        opened.iter().copied().filter(|one| !matches!(one.withheld, Some(Withheld::Digest))).collect();
    let (silences, _) = state.store.overlays(now).await?;
    let sections = vec![
        Section::new("Integrations", all.iter().map(integration).collect()),
        Section::new("Open incidents", open(&loaded.incidents, &speaker)),
        Section::new("Credentials that expire within 30 days", credentials(state, loaded, now, &speaker)),
        Section::new("Reconciliation gaps still open", gaps(&all, loaded)),
        Section::new("Notices that had no mail", notices(&opened, &speaker)),
        Section::new("Rules that fired most", noisy(&opened)),
        Section::new("Messages that did not arrive", failed(state, from).await?),
        Section::new(
            "Silenced now",
            silences
                .iter()
                .map(|one| {
                    let what: Vec<String> =
                        one.matchers.iter().map(|(name, value)| format!("{name} {value}")).collect();
                    let text = format!("until {}, by {}: {}", speaker.say(one.until), one.author, one.reason);
                    (what.join(", "), text)
                })
                .collect(),
        ),
        Section::new("Maintenance to come", maintenance(state, now)),
    ];
    Ok(Digest {
        headline: headline(&all, &told, plan.weekly),
        day: day.format("%A %-d %B %Y").to_string(),
        weekly: plan.weekly,
        sections,
        base_url: state.settings.base_url.clone(),
    })
}

fn headline(all: &[Health<'_>], opened: &[&Incident], weekly: bool) -> String {
    let need = all.iter().filter(|one| one.state.needs_somebody()).count();
    let period = if weekly { "week" } else { "day" };
    let incidents = match opened.len() {
        0 => format!("no incident opened in the last {period}"),
        1 => format!("one incident opened in the last {period}"),
        n => format!("{n} incidents opened in the last {period}"),
    };
    match (all.len(), need) {
        (0, _) => format!("No integration has sent anything yet, and {incidents}."),
        (1, 0) => format!("All quiet: the one integration is well, and {incidents}."),
        (n, 0) => format!("All quiet: {n} integrations are well, and {incidents}."),
        (n, 1) => format!("1 of {n} integrations needs somebody, and {incidents}."),
        (n, need) => format!("{need} of {n} integrations need somebody, and {incidents}."),
    }
}

fn integration(one: &Health<'_>) -> (String, String) {
    let judged = &one.outbound.judged;
    let rate = judged.success_rate().map(|rate| {
        let calls = figure::count(judged.good + judged.bad);
        format!(", {} of {calls} calls succeeded in the last hour", figure::percent(rate))
    });
    let trouble = one.trouble.as_ref().map(|cause| format!(", {}", cause.evidence)).unwrap_or_default();
    let name = if one.key.environment.is_empty() || &*one.key.environment == "default" {
        one.key.name.to_string()
    } else {
        format!("{} ({})", one.key.name, one.key.environment)
    };
    (name, format!("{}{}{trouble}", one.state.name(), rate.unwrap_or_default()))
}

fn open(incidents: &[Incident], speaker: &Speaker) -> Vec<(String, String)> {
    let open = incidents
        .iter()
        .filter(|one| one.resolved_at.is_none() && !matches!(one.withheld, Some(Withheld::Digest)));
    open.map(|one| {
        let withheld = one.withheld.as_ref().map(|why| format!(" Not mailed: {}.", why.sentence()));
        let said = speaker.sentence(&one.sentence);
        let open_for = lasted(speaker.now - one.since);
        (
            format!("{} {}", one.code, one.title),
            format!("open for {open_for}. {said}{}", withheld.unwrap_or_default()),
        )
    })
    .collect()
}

fn credentials(state: &State, loaded: &load::Loaded, now: Nanos, speaker: &Speaker) -> Vec<(String, String)> {
    let seconds = now / 1_000_000_000;
    let mut found: Vec<(i64, String, String)> = loaded
        .states
        .slots
        .iter()
        .filter(|(_, slot)| slot.renewed_by_hand() && !slot.is_gone(now))
        .filter_map(|(key, slot)| Some((key, slot, slot.expires_at()?)))
        .filter(|(_, _, at)| *at < seconds + AHEAD)
        .map(|(key, slot, at)| {
            let owner = state.settings.overrides.get(&*key.integration.name).map(|(_, owner)| owner.clone());
            let owner = slot.owner_name.get().cloned().or(owner.filter(|owner| !owner.is_empty()));
            let whose = owner
                .map_or_else(|| "nobody is named as its owner".into(), |owner| format!("{owner} owns it"));
            let instant = speaker.say(at.saturating_mul(1_000_000_000));
            let when = if at <= seconds {
                format!("expired at {instant}")
            } else {
                format!("expires in {}, at {instant}", lasted((at - seconds).saturating_mul(1_000_000_000)))
            };
            (at, format!("{} of {}", key.credential, key.integration.name), format!("{when}; {whose}"))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, what, how)| (what, how)).collect()
}

fn gaps(all: &[Health<'_>], loaded: &load::Loaded) -> Vec<(String, String)> {
    let of = |one: &Health<'_>| {
        let runs = reconciliation::reconciliations(&loaded.states, &one.key);
        let (expected, matched, open) = reconciliation::sums(&runs)?;
        let text = format!("{open} records still open; {matched} of {expected} matched in the latest runs");
        (open > 0).then(|| (one.key.name.to_string(), text))
    };
    all.iter().filter_map(of).collect()
}

fn notices(opened: &[&Incident], speaker: &Speaker) -> Vec<(String, String)> {
    let notices = opened.iter().filter(|one| matches!(one.withheld, Some(Withheld::Digest)));
    notices.map(|one| (one.title.clone(), speaker.sentence(&one.sentence))).collect()
}

/// The rules that opened most incidents, and what may make them quieter.
fn noisy(opened: &[&Incident]) -> Vec<(String, String)> {
    let mut by_rule: BTreeMap<&str, Vec<&Incident>> = BTreeMap::new();
    for one in opened {
        by_rule.entry(&*one.rule).or_default().push(one);
    }
    let mut rules: Vec<_> = by_rule.into_iter().filter(|(_, of)| of.len() >= NOISY).collect();
    rules.sort_by_key(|(_, of)| std::cmp::Reverse(of.len()));
    let row = |(rule, of): (&str, Vec<&Incident>)| {
        let short =
            of.iter().filter(|one| one.resolved_at.is_some_and(|end| end - one.since < HOUR / 4)).count();
        let places: BTreeSet<_> = of.iter().map(|one| &one.labels).collect();
        let advice = if short * 2 > of.len() {
            "most ended within a quarter of an hour: a longer `for` would have kept them quiet"
        } else if places.len() * 2 > of.len() && places.len() > 2 {
            "they were in many places: `group_by` makes one mail of them"
        } else {
            "the same places again and again: their thresholds do not fit, or what is wrong was not mended"
        };
        (rule.to_owned(), format!("{} incidents; {advice}", of.len()))
    };
    rules.into_iter().map(row).collect()
}

async fn failed(state: &State, from: Nanos) -> Result<Vec<(String, String)>, store::Error> {
    let mails = state.store.mails_since(from, MAILS).await?;
    let failed = mails.iter().filter(|mail| mail.state == MailState::Rejected);
    Ok(failed
        .map(|mail| (mail.mail.recipient.clone(), format!("{}: {}", mail.mail.subject, mail.error)))
        .collect())
}

fn maintenance(state: &State, now: Nanos) -> Vec<(String, String)> {
    let rules = state.rules.borrow().clone();
    let of = |one: &crate::alert::maintenance::Maintenance| {
        let next = one.openings(now, 1).into_iter().next().filter(|window| window.from < now + 7 * DAY)?;
        Some((one.name.clone(), format!("{}: {}", one.said(&next), one.reason)))
    };
    rules.maintenance.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests;
