//! Rate limits that an integration reports: what is left, and what the signals say of it (semantics section 9).

use std::collections::BTreeMap;

use crate::health::rate_limit::NEVER;
use crate::health::value::Value;
use crate::rollup::window::Part;
use crate::signals::observation::IntegrationKey;
use crate::signals::provider::Providers;
use crate::signals::signal::{Label, Signal};
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::{Attr, Metric};

/// One limit of one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limit {
    /// The vendor's id, else the peer's host.
    pub provider: String,
    /// Whose quota it is.
    pub account: String,
    /// Which of the vendor's limits; empty where it has one only.
    pub limit: String,
    /// Requests left, and when that was said.
    pub remaining: Option<(Nanos, f64)>,
    /// Requests allowed.
    pub of: Option<(Nanos, f64)>,
    /// Unix seconds.
    pub resets_at: Option<(Nanos, f64)>,
    /// Share that is left at the last tick.
    pub headroom: Option<f64>,
    /// Seconds until nothing is left, where that comes before the reset.
    pub exhausts_in: Option<f64>,
    /// Share of the fall that no call of ours explains.
    pub foreign: Option<f64>,
}

/// The limits that the gauges of a window tell of, by name.
pub fn limits(
    window: &Part,
    values: &[Value],
    providers: &Providers,
    integration: &IntegrationKey,
) -> Vec<Limit> {
    let mut all: BTreeMap<(String, String, String), Limit> = BTreeMap::new();
    for ((_, key), row) in window.gauges.iter().filter(|((_, key), _)| key.integration == *integration) {
        let Some(metric) = Metric::from_wire(&key.metric) else { continue };
        if !matches!(metric, Metric::RateLimitRemaining | Metric::RateLimitLimit | Metric::RateLimitResetsAt)
        {
            continue;
        }
        let text = |attr: Attr| key.attribute(attr.name()).unwrap_or("");
        let host = text(Attr::ServerAddress);
        let provider = providers.of(host).map_or(host, |vendor| &*vendor.id);
        let account = Some(text(Attr::RateLimitAccount)).filter(|text| !text.is_empty()).unwrap_or(host);
        let name = text(Attr::RateLimitName);
        let place = (provider.to_owned(), account.to_owned(), name.to_owned());
        let limit = all.entry(place).or_insert_with(|| Limit {
            provider: provider.to_owned(),
            account: account.to_owned(),
            limit: name.to_owned(),
            ..Limit::default()
        });
        let figure = match metric {
            Metric::RateLimitRemaining => &mut limit.remaining,
            Metric::RateLimitLimit => &mut limit.of,
            _ => &mut limit.resets_at,
        };
        let told = (row.last_at, row.last);
        if figure.is_none_or(|kept| told > kept) {
            *figure = Some(told);
        }
    }
    let mut limits: Vec<Limit> = all.into_values().collect();
    for limit in &mut limits {
        let said = |signal| {
            let is_it = |value: &&Value| {
                value.signal == signal
                    && value.label(Label::Provider) == limit.provider
                    && value.label(Label::Account) == limit.account
                    && value.label(Label::Limit) == limit.limit
            };
            values.iter().find(is_it).map(|value| value.value)
        };
        let (headroom, exhausts) = (said(Signal::RateLimitHeadroom), said(Signal::RateLimitExhaustsIn));
        let foreign = said(Signal::RateLimitForeignShare);
        (limit.headroom, limit.foreign) = (headroom, foreign);
        limit.exhausts_in = exhausts.filter(|seconds| *seconds < NEVER);
    }
    limits
}
