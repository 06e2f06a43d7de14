//! From the configuration to what telemetry is read by.

use std::sync::Arc;

use crate::config::Config;
use crate::mappings;
use crate::signals::integration::Naming;
use crate::signals::observe::Rules;
use crate::signals::provider::Providers;

/// The operator's naming rules, our own addresses, what vendors say of theirs, and metrics of others.
pub fn observe_rules(
    config: &Config,
    addresses: &super::Addresses,
    providers: Arc<Providers>,
) -> anyhow::Result<Rules> {
    let named = config.integration.iter().map(|rule| Naming {
        name: rule.name.clone(),
        service: rule.service.clone(),
        peer: rule.peer.clone(),
        route_prefix: rule.route_prefix.clone(),
        queue: rule.queue.clone(),
    });
    let renamed =
        config.integration.iter().flat_map(|one| one.was.iter().map(|old| (old.clone(), one.name.clone())));
    let own = [addresses.otlp_http, addresses.otlp_grpc];
    let own_addresses = own.map(|at| (at.ip().to_string(), at.port())).into();
    let mappings = Arc::new(mappings::load(&config.metric).map_err(anyhow::Error::msg)?);
    Ok(Rules {
        naming: named.collect(),
        renamed: renamed.collect(),
        own_addresses,
        scope: None,
        providers,
        mappings,
    })
}
