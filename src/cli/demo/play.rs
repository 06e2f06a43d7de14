//! The demo as it runs: history first, then the story in real time, then health until it is stopped.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use chrono::{DateTime, Local};
use seamwatch_exporter::integration::Integration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::credentials::{self, Token};
use super::fleet::{FLEET, Member};
use super::history::{healthy_queue, replay};
use super::rng::Rng;
use super::schedule::{ORDERS, compared, due, minute_of_day};
use super::story::{BEATS, Beat, faults};
use super::traffic::{Faults, operation};
use crate::alert::figure;

const STEP: Duration = Duration::from_millis(200);
const MINUTE: Duration = Duration::from_secs(60);
/// Items a second that come into the queue whose worker stands still; a call carries several.
const ARRIVALS: f64 = 2.0;
/// What the demo's rule for credentials calls near: the token crosses it at [`Beat::TokenNears`].
const NEAR: Duration = Duration::from_secs(600);

/// Where the server listens.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// The dashboard.
    pub web: SocketAddr,
}

/// How long a story minute lasts. The rules' own times do not shrink with it.
#[derive(Clone, Copy, Debug)]
pub struct Pace(pub Duration);

/// Plays the demo until it is stopped; `out` gets lines for people.
///
/// # Errors
/// When the history cannot be delivered; later losses are told to `out`.
pub async fn play(
    door: Door,
    pace: Pace,
    stop: CancellationToken,
    out: impl Fn(String) + Send + Sync + 'static,
) -> anyhow::Result<()> {
    out(format!("Dashboard: http://{}/", door.web));
    out("Sending a day of history of six integrations ...".into());
    let fleet = start(door).await?;
    let (began, history_end) = (Instant::now(), now());
    let told = tokio::select! {
        _ = stop.cancelled() => Ok(()),
        sent = replay(door.otlp_http, &fleet, history_end) => match sent {
            Ok(spans) => {
                out(format!("{} spans of history in {:.1} s.", figure::exact(spans), began.elapsed().as_secs_f64()));
                Stage::new(fleet.clone(), pace, &out, history_end).run(&stop, door).await;
                Ok(())
            }
            Err(why) => Err(why),
        },
    };
    // Shutting down waits for the server's answer and must not hold an async worker.
    let ended = tokio::task::spawn_blocking(move || {
        let end = |(member, one): (Member, Integration)| {
            one.shutdown().err().map(|why| format!("{}: {why}", member.name))
        };
        fleet.into_iter().filter_map(end).collect::<Vec<_>>()
    });
    for lost in ended.await.context("the exporters could not be shut down")? {
        out(lost);
    }
    told
}

async fn start(door: Door) -> anyhow::Result<Vec<(Member, Integration)>> {
    let endpoint = format!("http://{}", door.otlp_http);
    let all = move || FLEET.into_iter().map(|member| Ok((member, member.start(endpoint.clone())?))).collect();
    tokio::task::spawn_blocking(all).await.context("the fleet could not be started")?
}

/// The time, from the one clock there is.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(crate::clock::system()()).unwrap_or(0))
}

fn minute_of(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 60
}

/// The story under way.
struct Stage<'o> {
    fleet: Vec<(Member, Integration)>,
    out: &'o (dyn Fn(String) + Send + Sync),
    pace: Duration,
    begun: SystemTime,
    told: usize,
    token: Token,
    short: Option<(SystemTime, SystemTime)>,
    /// The last minute whose scheduled work was done, counted from 1970.
    minute: u64,
    debts: Vec<f64>,
    count: u64,
    rng: Rng,
}

impl<'o> Stage<'o> {
    fn new(
        fleet: Vec<(Member, Integration)>,
        pace: Pace,
        out: &'o (dyn Fn(String) + Send + Sync),
        history_end: SystemTime,
    ) -> Stage<'o> {
        let begun = now();
        // A pace of nought would never pass a minute.
        let pace = pace.0.max(Duration::from_millis(1));
        Stage {
            token: Token::near_its_end(begun, pace * Beat::TokenNears.minute() + NEAR),
            debts: vec![0.0; fleet.len()],
            fleet,
            out,
            pace,
            begun,
            told: 0,
            short: None,
            minute: minute_of(history_end),
            count: 0,
            rng: Rng::new(11),
        }
    }

    fn timetable(&self, door: Door) {
        let say = |line: &str| (self.out)(line.to_owned());
        say("What happens when (local time):");
        for (minute, beat) in BEATS {
            let at = DateTime::<Local>::from(self.begun + self.pace * minute);
            say(&format!("  {}  {}", at.format("%H:%M:%S"), beat.line()));
        }
        say(
            "The demo has alert rules of its own with short windows: each fault is mailed within five minutes.",
        );
        say(&format!("Mails are on http://{}/mail and, as .eml files, in the data folder.", door.web));
    }

    async fn run(mut self, stop: &CancellationToken, door: Door) {
        self.timetable(door);
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.cancelled() => return,
                _ = steps.tick() => self.step(now()),
            }
        }
    }

    /// Story minutes since the story began.
    fn story_minute(&self, now: SystemTime) -> f64 {
        now.duration_since(self.begun).unwrap_or_default().as_secs_f64() / self.pace.as_secs_f64()
    }

    fn step(&mut self, now: SystemTime) {
        let story = self.story_minute(now);
        while let Some((_, beat)) = BEATS.get(self.told).filter(|(minute, _)| f64::from(*minute) <= story) {
            self.told += 1;
            self.perform(*beat, now);
        }
        let faults = Faults { token_expired: now >= self.token.expires_at, ..faults(story) };
        self.gauges(now, story, faults);
        let minute = minute_of(now);
        let turned = std::mem::replace(&mut self.minute, minute) != minute;
        for ((member, integration), debt) in self.fleet.iter().zip(&mut self.debts) {
            if turned {
                due(integration, member, faults, UNIX_EPOCH + Duration::from_secs(minute * 60));
            }
            // A worker that stands still calls nobody.
            if faults.queue_stalled && member.queue == "push" {
                continue;
            }
            *debt += member.per_second(minute_of_day(now)) * STEP.as_secs_f64();
            while *debt >= 1.0 {
                *debt -= 1.0;
                operation(integration, member, faults, &mut self.rng, self.count, now);
                self.count += u64::from(member.queue == "orders");
            }
        }
    }

    fn perform(&mut self, beat: Beat, now: SystemTime) {
        (self.out)(format!("{}  {}", DateTime::<Local>::from(now).format("%H:%M:%S"), beat.line()));
        let shop = self.fleet.iter().find(|(member, _)| member.queue == "orders").map(|(_, one)| one);
        match (beat, shop) {
            (Beat::TokenRenewed, _) => self.token = Token::fresh(now),
            (Beat::OrdersShort, Some(shop)) => {
                let window = (now.checked_sub(60 * MINUTE).unwrap_or(now), now);
                self.short = Some(window);
                compared(shop, ORDERS, "order", window, (1_071, 857), now);
            }
            (Beat::OrdersComplete, Some(shop)) => {
                if let Some(window) = self.short.take() {
                    compared(shop, ORDERS, "order", window, (1_071, 1_071), now);
                }
            }
            _ => {}
        }
    }

    /// Queues and credentials as they stand.
    fn gauges(&mut self, now: SystemTime, story: f64, faults: Faults) {
        for (member, integration) in &self.fleet {
            if !member.queue.is_empty() {
                let (mut depth, mut age) =
                    healthy_queue(&mut self.rng, member.shape.weight(minute_of_day(now)));
                if faults.queue_stalled && member.queue == "push" {
                    // Nothing leaves: the oldest item has waited since the worker stopped.
                    let waited = (story - f64::from(Beat::QueueStalls.minute())) * 60.0;
                    age += Duration::from_secs_f64(waited.max(0.0));
                    depth += (waited.max(0.0) * ARRIVALS) as u64;
                }
                integration.queue(member.queue).set(depth, Some(age));
            }
            for (id, state) in credentials::of(member.name, self.begun, now, self.token) {
                integration.credential(id).set(state);
            }
        }
    }
}

#[cfg(test)]
mod tests;
