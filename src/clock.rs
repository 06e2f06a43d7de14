//! The one place that reads the system's clock; everything else is handed a [`Clock`], so that tests own time.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::signals::telemetry::Nanos;

/// Tells the time: unix nanoseconds, UTC.
pub type Clock = Arc<dyn Fn() -> Nanos + Send + Sync>;

/// The system's clock.
pub fn system() -> Clock {
    Arc::new(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| Nanos::try_from(since.as_nanos()).unwrap_or(Nanos::MAX))
    })
}
