//! Reads one request's records in order and says what they mean.

use std::sync::Arc;

use super::call::Class;
use super::observation::{CallKey, IntegrationKey, Observations};
use super::telemetry::{Log, Nanos, Origin, Point, Refusal, Span};

/// What the operator says of identity and limits.
#[derive(Clone, Debug, Default)]
pub struct Rules {}

/// What one span came to, for the row that is kept of it.
#[derive(Clone, Copy, Debug)]
pub struct Meaning<'m> {
    /// Whose span it is.
    pub integration: &'m IntegrationKey,
    /// The series it counts in and how it ended; none for a span that is no call.
    pub call: Option<(&'m CallKey, Class)>,
}

/// Collects the observations of one request.
#[derive(Debug)]
pub struct Observer {
    seen: Observations,
}

impl Observer {
    /// An observer of one request that arrived at `received_at`.
    pub fn new(_rules: Arc<Rules>, _received_at: Nanos) -> Observer {
        Observer { seen: Observations::default() }
    }

    /// Takes a span in.
    pub fn span(&mut self, _origin: &Origin<'_, '_>, _span: &Span<'_>) -> Result<Meaning<'_>, Refusal> {
        Err(Refusal::Borrowed("not read"))
    }

    /// Takes a data point in.
    pub fn point(&mut self, _origin: &Origin<'_, '_>, _point: &Point<'_, '_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// Takes a log record in and says whose it is.
    pub fn log(&mut self, _origin: &Origin<'_, '_>, _log: &Log<'_>) -> Result<&IntegrationKey, Refusal> {
        Err(Refusal::Borrowed("not read"))
    }

    /// Links retries to what they replace and gives all that was seen.
    pub fn finish(self) -> Observations {
        self.seen
    }
}
