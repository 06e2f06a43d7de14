//! What the periodic jobs do: each only says that it is time.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use super::evidence::Task;
use super::rules::Rules;
use crate::clock::Clock;
use crate::pipeline::Event;
use crate::scheduler::{self, Due};
use crate::store::Store;

/// Runs until `stop`.
pub async fn run(
    events: mpsc::Sender<Event>,
    rules: Arc<Rules>,
    certificates: Certificates,
    store: Store,
    evidence: mpsc::Sender<Task>,
    clock: Clock,
    stop: CancellationToken,
) {
    let (to_reload, mut reload) = mpsc::channel::<()>(1);
    let (to_look, mut look) = mpsc::channel::<()>(1);
    let into = events.clone();
    let started = scheduler::start(move |due| {
        // A job that finds the corridor busy is not queued twice: the next one comes in a second.
        let into = into.clone();
        let (to_reload, to_look, evidence) = (to_reload.clone(), to_look.clone(), evidence.clone());
        Box::pin(async move {
            match due {
                Due::Flush => drop(into.try_send(Event::Flush)),
                Due::Tick => drop(into.try_send(Event::Tick)),
                Due::Rules => drop(to_reload.try_send(())),
                Due::Certificates => drop(to_look.try_send(())),
                Due::Evidence => drop(evidence.try_send(Task::Pin)),
                Due::Forget => drop(evidence.try_send(Task::Forget)),
            }
        })
    })
    .await;
    let mut scheduler = match started {
        Ok(scheduler) => scheduler,
        Err(error) => return tracing::error!(%error, "The scheduler did not start: no rule is judged."),
    };
    loop {
        tokio::select! {
            _ = stop.cancelled() => break,
            due = reload.recv() => match due {
                Some(()) => rules.reload_if_changed(&events).await,
                None => break,
            },
            Some(()) = look.recv() => certificates.look(clock(), &store).await,
        }
    }
    let _ = scheduler.shutdown().await;
}
