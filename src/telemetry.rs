//! Seamwatch's own log: lines on stderr, as text or JSON, by `SEAMWATCH_LOG` (`info` unless set).

use tracing_subscriber::EnvFilter;

/// Installs the log; once, before anything else.
pub fn init() {
    let filter = EnvFilter::try_from_env("SEAMWATCH_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,tokio_cron_scheduler=warn"));
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let as_json = std::env::var("SEAMWATCH_LOG_FORMAT").is_ok_and(|format| format == "json");
    // A log that is installed already (a test's) stays.
    let _ = if as_json { lines.json().try_init() } else { lines.try_init() };
}
