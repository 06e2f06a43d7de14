//! What Seamwatch says of itself: the signals `self.*`, and the heartbeat that stops when it cannot do its work.
//!
//! Rules judge the values like any other. A rule cannot tell that rules are not judged, nor a mail that mails are not
//! sent: for that somebody outside waits for the heartbeat.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::rules::Rules;
use crate::clock::Clock;
use crate::config::heartbeat::Heartbeat;
use crate::health::value::Value;
use crate::outgoing::client::Client;
use crate::pipeline::gauges::Gauges;
use crate::signals::signal::Signal;
use crate::signals::telemetry::Nanos;
use crate::store::Store;
use crate::web::Counters;

/// How often it looks at itself.
const EVERY: Duration = Duration::from_secs(15);
/// A minute is judged 20 s after it closed; later than this the heartbeat stops.
const JUDGED_WITHIN: u64 = 4 * 60;
/// A mail that is due waits no longer while all is well.
const MAILED_WITHIN: f64 = 300.0;
/// Space under which the heartbeat stops.
const LEAST_FREE: f64 = 0.05;
/// How far back folded names are new.
const HOUR: Nanos = 3_600_000_000_000;
const MINUTE: Nanos = 60_000_000_000;

/// Values as the corridor takes them at a tick.
pub type Said = Arc<Mutex<Vec<Value>>>;

/// Looks at the server.
pub struct Own {
    /// Where the mails are.
    pub store: Store,
    /// What was refused.
    pub counters: Counters,
    /// Whether minutes are judged, and what was folded.
    pub gauges: Arc<Gauges>,
    /// Whether the rules can be read.
    pub rules: Arc<Rules>,
    /// The folder whose disk must not be full.
    pub data: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Where values go.
    pub said: Said,
    /// Who is told that all is well.
    pub heartbeat: Option<(Heartbeat, Client)>,
}

/// A counter at a time, to know what it grew by.
struct Course {
    reach: Nanos,
    points: VecDeque<(Nanos, u64)>,
}

impl Course {
    fn new(reach: Nanos) -> Course {
        Course { reach, points: VecDeque::new() }
    }

    /// What it grew by within reach.
    fn grown(&mut self, now: Nanos, count: u64) -> u64 {
        self.points.push_back((now, count));
        // One point from before stays, so that the whole reach is covered.
        while self.points.get(1).is_some_and(|(at, _)| *at <= now - self.reach) {
            self.points.pop_front();
        }
        self.points.front().map_or(0, |(_, first)| count.saturating_sub(*first))
    }
}

impl Own {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (mut refused, mut folded) = (Course::new(MINUTE), Course::new(HOUR));
        let mut beat_at: Option<Nanos> = None;
        loop {
            let now = (self.clock)();
            let (values, well) = self.look(now, &mut refused, &mut folded).await;
            *self.said.lock().unwrap_or_else(PoisonError::into_inner) = values;
            if let Some((heartbeat, client)) = &self.heartbeat
                && beat_at.is_none_or(|at| now - at >= i64::from(heartbeat.every_seconds) * 1_000_000_000)
            {
                beat_at = Some(now);
                beat(client, heartbeat, &well).await;
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// The values, and what keeps the heartbeat from going out.
    async fn look(
        &self,
        now: Nanos,
        refused: &mut Course,
        folded: &mut Course,
    ) -> (Vec<Value>, Result<(), String>) {
        let mut well = Ok(());
        let mut out = Vec::new();
        match self.store.oldest_mail_due(now).await {
            Ok(oldest) => {
                let stuck = oldest.map_or(0.0, |at| (now - at).max(0) as f64 / 1e9);
                let why = "since the oldest mail that is not sent yet was due".to_owned();
                out.push(Value::shared(Signal::SelfMailStuck, stuck, now).because(why));
                if stuck > MAILED_WITHIN {
                    well = Err(format!("a mail waits since {stuck:.0} s"));
                }
            }
            Err(error) => well = Err(error.to_string()),
        }
        if let Some(free) = free(&self.data) {
            let why = format!("of the disk of {}", self.data.display());
            out.push(Value::shared(Signal::SelfDiskFree, free, now).because(why));
            if free < LEAST_FREE {
                well = Err("the disk is nearly full".into());
            }
        }
        let counters = (self.counters)();
        let count = counters.iter().filter(|(name, _)| name.starts_with("refused_")).map(|(_, count)| count);
        let refused = refused.grown(now, count.sum());
        let why = "requests whose senders were told to come again, or were not let in".to_owned();
        out.push(Value::shared(Signal::SelfRefused, refused as f64, now).because(why));
        let folded = folded.grown(now, self.gauges.folded.load(std::sync::atomic::Ordering::Relaxed));
        let why = "series put together as (other) in the last hour: a name has too many values".to_owned();
        out.push(Value::shared(Signal::SelfFolded, folded as f64, now).because(why));
        let problems = self.rules.view().borrow().problems.clone();
        let why = problems.first().cloned().unwrap_or_default();
        out.push(Value::shared(Signal::SelfRuleErrors, problems.len() as f64, now).because(why));
        if let Ok(keys) = self.store.keys().await {
            let next =
                keys.iter().filter(|key| key.revoked_at.is_none()).filter_map(|key| key.expires_at).min();
            if let Some(at) = next {
                let left = (at - now) as f64 / 1e9;
                out.push(
                    Value::shared(Signal::SelfKeyExpiresIn, left, now)
                        .because("of the ingest key that ends first".into()),
                );
            }
        }
        let judged = self.gauges.judged_until.load(std::sync::atomic::Ordering::Relaxed);
        if judged > 0 && (now / 1_000_000_000) as u64 > judged + JUDGED_WITHIN {
            well = Err("minutes are not judged".into());
        }
        if let Ok(failing) = self.gauges.failing.lock()
            && let Some((_, why)) = &*failing
        {
            well = Err(why.clone());
        }
        (out, well)
    }
}

/// Tells whoever waits that all is well; what does not work is for them to notice.
async fn beat(client: &Client, heartbeat: &Heartbeat, well: &Result<(), String>) {
    match well {
        Err(why) => tracing::error!(why, "The heartbeat is held back: somebody outside will notice."),
        Ok(()) => match client.get(&heartbeat.url).await {
            Ok(answer) if answer.status.is_success() => {}
            Ok(answer) => tracing::warn!(status = %answer.status, "The heartbeat was not taken."),
            Err(error) => tracing::warn!(%error, "The heartbeat could not be sent."),
        },
    }
}

/// Share of a folder's disk that is free to this process.
fn free(folder: &std::path::Path) -> Option<f64> {
    let about = rustix::fs::statvfs(folder).ok()?;
    (about.f_blocks > 0).then(|| about.f_bavail as f64 / about.f_blocks as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_knows_what_a_counter_grew_by_within_its_reach() {
        let mut course = Course::new(60);
        assert_eq!(course.grown(0, 100), 0, "what was there before is not new");
        assert_eq!(course.grown(30, 110), 10);
        assert_eq!(course.grown(60, 115), 15);
        assert_eq!(course.grown(95, 115), 5);
        assert_eq!(course.grown(200, 115), 0);
        assert_eq!(course.grown(210, 3), 0, "a counter that began again");
    }

    #[test]
    fn a_folder_has_some_space_left() {
        assert!(free(std::path::Path::new("/")).is_some_and(|free| (0.0..=1.0).contains(&free)));
        assert_eq!(free(std::path::Path::new("/no/such/folder")), None);
    }
}
