//! Every periodic job, in one list. Jobs only say that it is time; the corridor and the rooms do the work.

use std::time::Duration;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Write what is in memory.
    Flush,
    /// Judge the minutes that have closed.
    Tick,
    /// Look whether rule files changed.
    Rules,
    /// Look whether certificates changed.
    Certificates,
    /// Pin the evidence of incidents.
    Evidence,
    /// Forget evidence whose time is over.
    Forget,
}

const JOBS: &[(Duration, Due)] = &[
    (Duration::from_secs(1), Due::Tick),
    (Duration::from_secs(2), Due::Flush),
    (Duration::from_secs(2), Due::Rules),
    (Duration::from_secs(5), Due::Certificates),
    (Duration::from_secs(2), Due::Evidence),
    (Duration::from_secs(3_600), Due::Forget),
];

/// What a job runs when its time has come.
pub type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts the jobs; each calls `due` when its time has come.
pub async fn start(
    due: impl Fn(Due) -> Work + Clone + Send + Sync + 'static,
) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for (every, what) in JOBS {
        let due = due.clone();
        scheduler.add(Job::new_repeated_async(*every, move |_, _| due(*what))?).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}
