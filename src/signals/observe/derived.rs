//! What a span says beside its call, where the vocabulary's own telemetry is absent (section 6): a webhook's delivery,
//! what is left of a limit, a token's refresh.

use std::sync::Arc;

use crate::signals::call::Class;
use crate::signals::endpoint;
use crate::signals::fact::{Count, Delivery, Fact};
use crate::signals::headers::{Headers, Side};
use crate::signals::lookup::Lookup;
use crate::signals::mark::Mark;
use crate::signals::observation::{Direction, Gauge, GaugeKey};
use crate::signals::telemetry::{Nanos, Origin, Span};
use crate::signals::vocabulary::{Attr, Metric};
use crate::signals::{announce, rate_limit, refresh, webhook};

use super::{Observer, hash};

/// The call that a span was counted as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) integration: usize,
    pub(super) series: u32,
    pub(super) direction: Direction,
    pub(super) class: Class,
    pub(super) end: Nanos,
    pub(super) weight: f64,
}

impl Observer {
    /// Notes where what a resource says begins.
    pub(super) fn mark(&mut self, origin: &Origin<'_, '_>, integration: usize) {
        if self.marked != Some(origin.resource_index) {
            self.marked = Some(origin.resource_index);
            let (sender, integration) = (self.resource(origin) as u64, integration as u32);
            self.seen.marks.push(Mark { sender, integration, ..Mark::end_of(&self.seen) });
        }
    }

    /// Derives what a counted span says beside its call.
    pub(super) fn derive(&mut self, span: &Span<'_>, look: &Lookup<'_, '_>, peer: &str, counted: Counted) {
        match counted.direction {
            Direction::Inbound => self.delivery(span, look, counted),
            Direction::Outbound => {
                self.limits(span, look, peer, counted);
                self.refresh(span, look, peer, counted);
                self.announcement(span, peer, counted);
            }
            Direction::Dependency => {}
        }
    }

    fn delivery(&mut self, span: &Span<'_>, look: &Lookup<'_, '_>, counted: Counted) {
        let Some(seen) = webhook::seen(span, look, counted.class, &self.rules.providers) else { return };
        let provider = self.text(&seen.provider);
        let event_type = match &seen.event_type {
            Some(event) => self.text(event),
            None => {
                // The route: the endpoint without its method.
                let endpoint = self.seen.series.get(counted.series as usize).map(|key| key.endpoint.clone());
                let route = endpoint.as_deref().and_then(|endpoint| endpoint.split_once(' '));
                self.text(route.map_or("/", |(_, route)| route))
            }
        };
        self.seen.deliveries.push(Delivery {
            integration: self.seen.integrations[counted.integration].key.clone(),
            time: counted.end,
            provider,
            event_type,
            result: seen.result,
            reason: seen.reason,
            id: seen.id,
            weight: counted.weight,
        });
    }

    /// Of many answers of one request the latest of each minute stands: it is a level.
    fn limits(&mut self, span: &Span<'_>, look: &Lookup<'_, '_>, peer: &str, counted: Counted) {
        let Some(headers) = Headers::of(&span.attributes, Side::Response) else { return };
        let vendor = self.provider(counted.series, peer);
        let told = rate_limit::read(&headers, vendor, counted.end, counted.class == Class::Throttled);
        if told.is_empty() {
            return;
        }
        let account =
            look.str(Attr::RateLimitAccount).or_else(|| look.str(Attr::ConnectionId)).unwrap_or(peer);
        let only = told.len() == 1;
        let integration = self.seen.integrations[counted.integration].key.clone();
        for one in told {
            let named = look.str(Attr::RateLimitName).filter(|_| only).unwrap_or(&one.name);
            let figures = [
                (Metric::RateLimitLimit, one.limit),
                (Metric::RateLimitRemaining, one.remaining),
                (Metric::RateLimitResetsAt, one.resets_at),
            ];
            for (metric, value) in figures {
                let Some(value) = value else { continue };
                let minute = counted.end.div_euclid(60_000_000_000);
                let place = hash(&(counted.integration, peer, account, named, metric, minute));
                if let Some(known) = self.limits.get(&place).and_then(|at| self.seen.gauges.get_mut(*at)) {
                    if counted.end >= known.time {
                        (known.time, known.value) = (counted.end, value);
                    }
                    continue;
                }
                let given = [
                    (Attr::RateLimitAccount, account),
                    (Attr::RateLimitName, named),
                    (Attr::ServerAddress, peer),
                ];
                let given = given.into_iter().filter(|(_, text)| !text.is_empty());
                // Ascending by name as they stand here.
                let attributes = given
                    .map(|(attr, text)| (Arc::from(attr.name()), Arc::from(endpoint::cut(text))))
                    .collect();
                let key = GaugeKey {
                    integration: integration.clone(),
                    metric: Arc::from(metric.name()),
                    unit: Arc::from(""),
                    attributes,
                    additive: false,
                    reporter: 0,
                };
                self.limits.insert(place, self.seen.gauges.len());
                self.seen.gauges.push(Gauge { key, time: counted.end, value });
            }
        }
    }

    fn refresh(&mut self, span: &Span<'_>, look: &Lookup<'_, '_>, peer: &str, counted: Counted) {
        if look.str(Attr::HttpMethod) != Some("POST") {
            return;
        }
        let vendor = self.provider(counted.series, peer);
        if !refresh::is_one(span, look, vendor) {
            return;
        }
        let Some((outcome, error)) = refresh::outcome(look, counted.class) else { return };
        let slot = refresh::slot(look, peer);
        let attributes = [(Attr::CredentialId, &*slot), (Attr::Outcome, outcome), (Attr::ErrorType, &*error)];
        let integration = self.seen.integrations[counted.integration].key.clone();
        let at = (counted.end, counted.weight);
        self.seen.counts.push(Count::of(integration, refresh::DERIVED, "{refresh}", &attributes, at));
    }

    /// An end that the answer announces, once for the calls of a request that tell of it.
    fn announcement(&mut self, span: &Span<'_>, peer: &str, counted: Counted) {
        let Some(headers) = Headers::of(&span.attributes, Side::Response) else { return };
        let endpoint = self.seen.series.get(counted.series as usize).map(|key| key.endpoint.clone());
        let said = endpoint.and_then(|endpoint| announce::of_headers(&headers, peer, &endpoint));
        let Some(said) = said.filter(|said| self.seen.facts.iter().all(|fact| fact.said != *said)) else {
            return;
        };
        let integration = self.seen.integrations[counted.integration].key.clone();
        self.seen.facts.push(Fact { integration, time: counted.end, said });
    }

    /// A text, shared with the others that are the same.
    fn text(&mut self, text: &str) -> Arc<str> {
        let text = endpoint::cut(text);
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(shared.clone());
        shared
    }
}
