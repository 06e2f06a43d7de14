//! Interface of the store that the pages are written against.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde::Serialize;

use self::mail::Mail;
use crate::alert::incident::Incident;
use crate::rollup::window::{Minute, Part};
use crate::signals::telemetry::Nanos;

pub mod mail;

/// Where it stores.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub folder: PathBuf,
}

/// Why it could not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk.
    #[error("The catalog cannot be read: {0}")]
    Disk(String),
}

/// How much of a window is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All.
    Full,
    /// No histograms.
    Counts,
}

/// Which spans.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct SpanQuery {
    pub integration: Option<String>,
    pub environment: Option<String>,
    pub endpoint: Option<String>,
    pub failed: Option<bool>,
    pub min_ms: Option<f64>,
    pub from: Nanos,
    pub to: Nanos,
    pub limit: usize,
}

/// Which logs.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct LogQuery {
    pub text: Option<String>,
    pub integration: Option<String>,
    pub environment: Option<String>,
    pub from: Nanos,
    pub to: Nanos,
    pub limit: usize,
}

/// A span.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct SpanRecord {
    pub trace_id: String,
}

/// A log record.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct LogRecord {
    pub body: String,
}

/// Everything in it.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Held {
    pub part: Part,
    pub incidents: Vec<Incident>,
    pub mails: Vec<Mail>,
    pub watermark: u64,
}

/// The store.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// What it holds.
    pub held: Arc<Mutex<Held>>,
}

#[allow(missing_docs, clippy::unused_async, clippy::unwrap_used)]
impl Store {
    pub async fn open(_settings: Settings) -> Result<Store, Error> {
        Ok(Store::default())
    }
    pub async fn watermark(&self) -> Result<u64, Error> {
        Ok(self.held.lock().unwrap().watermark)
    }
    pub async fn window(&self, from: Minute, to: Minute, name: Option<&str>, _d: Detail) -> Result<Part, Error> {
        let mut part = self.held.lock().unwrap().part.clone();
        let within = |m: &Minute| *m >= from && *m < to;
        let named = |n: &Arc<str>| name.is_none_or(|name| &**n == name);
        part.calls.retain(|(m, k), _| within(m) && named(&k.integration.name));
        part.facets.retain(|(m, k), _| within(m) && named(&k.integration.name));
        part.gauges.retain(|(m, k), _| within(m) && named(&k.integration.name));
        Ok(part)
    }
    pub async fn states(&self) -> Result<Part, Error> {
        let mut part = self.held.lock().unwrap().part.clone();
        part.calls.clear();
        part.facets.clear();
        part.gauges.clear();
        Ok(part)
    }
    pub async fn trace(&self, _id: [u8; 16]) -> Result<Vec<SpanRecord>, Error> {
        Ok(Vec::new())
    }
    pub async fn spans(&self, _query: SpanQuery) -> Result<Vec<SpanRecord>, Error> {
        Ok(Vec::new())
    }
    pub async fn logs(&self, _query: LogQuery) -> Result<Vec<LogRecord>, Error> {
        Ok(Vec::new())
    }
    pub async fn incidents(&self, open_only: bool, limit: u32) -> Result<Vec<Incident>, Error> {
        let all = self.held.lock().unwrap().incidents.clone();
        let kept = all.into_iter().filter(|i| !open_only || i.resolved_at.is_none());
        Ok(kept.take(limit as usize).collect())
    }
    pub async fn incident(&self, id_or_code: &str) -> Result<Option<Incident>, Error> {
        let all = self.held.lock().unwrap().incidents.clone();
        Ok(all.into_iter().find(|i| i.id == id_or_code || i.code == id_or_code))
    }
    pub async fn mails(&self, limit: u32) -> Result<Vec<Mail>, Error> {
        Ok(self.held.lock().unwrap().mails.iter().take(limit as usize).cloned().collect())
    }
    pub async fn mail(&self, id: &str) -> Result<Option<Mail>, Error> {
        Ok(self.held.lock().unwrap().mails.iter().find(|m| m.new.id == id).cloned())
    }
    pub async fn mails_of(&self, incident: &str) -> Result<Vec<Mail>, Error> {
        Ok(self.held.lock().unwrap().mails.iter().filter(|m| m.new.incident_id == incident).cloned().collect())
    }
}
