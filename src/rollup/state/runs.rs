//! The latest runs of a job: enough to tell how often in a row it failed, and when the next is due.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::super::series::Merge;
use crate::signals::observation::JobRun;
use crate::signals::telemetry::Nanos;

/// So many are kept.
const KEPT: usize = 8;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Run {
    /// When it completed.
    pub time: Nanos,
    /// `success`, `failure`, `partial`, or `beat`.
    pub outcome: String,
    /// Records that failed in it.
    pub failed: u64,
    /// Unix seconds of the next, as it says.
    pub next_at: Option<i64>,
    /// Unix seconds: data is complete up to here.
    pub watermark: Option<i64>,
    /// What the sender said.
    pub message: String,
}

impl Run {
    /// Whether it failed as a whole.
    pub fn is_failure(&self) -> bool {
        matches!(self.outcome.as_str(), "failure" | "failed" | "error")
    }

    /// Whether it did only a part of its work.
    pub fn is_partial(&self) -> bool {
        !self.is_failure() && (self.outcome == "partial" || self.failed > 0)
    }
}

/// The latest runs, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Runs(pub Vec<Run>);

impl Runs {
    /// Of one run; none of one that is to be ignored.
    pub fn of(run: &JobRun) -> Runs {
        if run.outcome == "ignored" {
            return Runs::default();
        }
        Runs(vec![Run {
            time: run.time,
            outcome: run.outcome.clone(),
            failed: run.failed.unwrap_or(0),
            next_at: run.next_at,
            watermark: run.watermark,
            message: run.message.chars().take(200).collect(),
        }])
    }
}

impl Merge for Runs {
    fn merge(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
        self.0.sort_by(|a, b| Reverse(a).cmp(&Reverse(b)));
        self.0.dedup();
        self.0.truncate(KEPT);
    }
}
