//! From the configuration to what telemetry is read by.

use std::sync::Arc;

use crate::config::Config;
use crate::config::endpoint::Ambiguous;
use crate::mappings;
use crate::rollup::state::row::{State, StateKey};
use crate::rollup::window::Map;
use crate::signals::classified::{self, Classified, Whose};
use crate::signals::integration::Naming;
use crate::signals::observe::Rules;
use crate::signals::provider::Providers;

/// The operator's naming rules, our own addresses, what vendors say of theirs, and metrics of others.
pub fn observe_rules(
    config: &Config,
    addresses: &super::Addresses,
    providers: Arc<Providers>,
    classified: Arc<Classified>,
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
        classified,
        providers,
        mappings,
    })
}

/// What ambiguous answers were said to be: by the configuration, and by people on pages.
pub fn classified(config: &Config, states: &Map<StateKey, State>) -> Classified {
    let configured = config.endpoint.iter().map(|one| {
        let whose = Whose {
            environment: one.environment.clone(),
            integration: one.integration.clone(),
            peer: one.peer.clone(),
            endpoint: one.endpoint.clone(),
        };
        (whose, one.ambiguous == Ambiguous::Good)
    });
    let clicked = states.iter().filter_map(|(key, state)| match state {
        State::Classified(word) => {
            let whose = classified::named(&key.integration, &key.name)?;
            Some((whose, classified::good(&word.reason)?))
        }
        _ => None,
    });
    Classified::new(configured.collect(), clicked)
}
