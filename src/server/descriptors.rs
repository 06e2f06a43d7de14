//! File descriptors: each connection takes one, and running out of them takes the catalog down with the doors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Ports that take connections.
const PORTS: usize = 3;
/// What the catalog, the inbox, the segments and mails may need besides.
const SPARE: usize = 256;

/// Raises the process' limit as far as `wanted` connections a port need and the system allows, and gives how many a
/// port may have. With fewer than wanted the log says so.
pub fn connections(wanted: usize) -> usize {
    let needed = wanted.saturating_mul(PORTS).saturating_add(SPARE);
    let limit = getrlimit(Resource::Nofile);
    // None stands for no limit.
    let Some(current) = limit.current else { return wanted };
    let raised = limit.maximum.unwrap_or(u64::MAX).min(needed as u64);
    let mut left = current;
    if raised > current && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }).is_ok() {
        left = raised;
    }
    let fits = share(usize::try_from(left).unwrap_or(usize::MAX));
    if fits < wanted {
        tracing::warn!(
            descriptors = left,
            connections = fits,
            "The limit of open files is too low for ingest.max_connections = {wanted}; each port takes {fits}. Raise it \
             to {needed} (LimitNOFILE in a systemd unit, ulimit -Hn in a shell)."
        );
    }
    fits.min(wanted)
}

fn share(descriptors: usize) -> usize {
    (descriptors.saturating_sub(SPARE) / PORTS).max(16)
}
