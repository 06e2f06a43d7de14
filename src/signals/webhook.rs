//! Webhooks: deliveries as their server spans show them (vocabulary section 6), and the event of one turned away.

use std::hash::Hash;
use std::sync::Arc;

use super::call::Class;
use super::endpoint;
use super::fact::{Count, Delivery, Said, WebhookRejected};
use super::headers::{Headers, Side};
use super::lookup::Lookup;
use super::observe::hash;
use super::provider::Providers;
use super::telemetry::{Span, SpanKind};
use super::vocabulary::Attr;

/// Deliveries that were derived from spans are counted under a name of their own, never on top of those that an
/// integration counts itself as `integration.webhook.deliveries`.
pub const DERIVED: &str = "integration.webhook.span_deliveries";

/// Headers that carry a delivery's id, and whose they are.
const IDS: [(&str, &str); 4] =
    [("webhook-id", ""), ("x-github-delivery", "github"), ("x-shopify-webhook-id", "shopify"), ("ce-id", "")];
/// Headers that name the event.
const TYPES: [&str; 3] = ["x-github-event", "x-shopify-topic", "ce-type"];
/// Stripe signs and has no id in a header.
const STRIPE: &str = "stripe-signature";

/// What a span says of a delivery.
#[derive(Debug, PartialEq)]
pub struct Seen {
    /// Whose events, empty when not known.
    pub provider: String,
    /// Which event; none where only the route is known.
    pub event_type: Option<String>,
    /// How it ended.
    pub result: &'static str,
    /// Why it was not accepted.
    pub reason: &'static str,
    /// Hash of its id.
    pub id: Option<u64>,
}

/// Reads a span that took a call in; none when it is no webhook.
pub fn seen(span: &Span<'_>, look: &Lookup<'_, '_>, class: Class, providers: &Providers) -> Option<Seen> {
    if span.kind != SpanKind::Server || look.str(Attr::HttpMethod) != Some("POST") {
        return None;
    }
    let path = [Attr::HttpRoute, Attr::UrlPath, Attr::HttpTarget, Attr::UrlFull];
    let path = path.into_iter().find_map(|attr| look.str(attr)).unwrap_or("");
    let event = look.str(Attr::CloudEventId);
    let headers = Headers::of(look.own, Side::Request);
    let header_id = headers.as_ref().and_then(|headers| {
        IDS.iter().find(|(name, _)| headers.has(name)).map(|(name, vendor)| (headers.get(name), *vendor))
    });
    let has = |name: &str| headers.as_ref().is_some_and(|headers| headers.has(name));
    if event.is_none() && header_id.is_none() && !has(STRIPE) && !is_receiver(path) {
        return None;
    }
    let vendor = || {
        if let Some((_, vendor)) = &header_id
            && !vendor.is_empty()
        {
            return Some(*vendor);
        }
        if has(STRIPE) {
            return Some("stripe");
        }
        let signs = |provider: &&super::provider::Provider| {
            provider.signature.as_ref().is_some_and(|signature| has(&signature.header))
        };
        let named = || {
            let mut segments = segments(path);
            segments.find_map(|segment| providers.all().iter().find(|provider| provider.id == segment))
        };
        let found = headers.as_ref().and_then(|_| providers.all().iter().find(signs)).or_else(named);
        found.map(|provider| &*provider.id)
    };
    let provider = look.str(Attr::WebhookProvider).or_else(vendor).unwrap_or("").to_owned();
    let by_header = || headers.as_ref().and_then(|all| TYPES.iter().find_map(|name| all.get(name)));
    let event_type = [Attr::WebhookEventType, Attr::CloudEventType].into_iter();
    let event_type = event_type.filter_map(|attr| look.str(attr)).map(str::to_owned).next();
    let event_type = event_type.or_else(|| by_header().map(|text| text.into_owned()));
    let id = event.map(str::to_owned).or_else(|| header_id.and_then(|(id, _)| id).map(|id| id.into_owned()));
    let (result, reason) = ended(look, class);
    Some(Seen { id: id.map(|id| id_hash(&provider, &id)), provider, event_type, result, reason })
}

fn id_hash(provider: &str, id: &impl Hash) -> u64 {
    hash(&(provider, id))
}

/// `/(webhooks?|hooks|callbacks?)(/|$)` somewhere in the path.
pub fn is_receiver(path: &str) -> bool {
    segments(path).any(|segment| {
        ["webhook", "webhooks", "hooks", "callback", "callbacks"]
            .iter()
            .any(|name| segment.eq_ignore_ascii_case(name))
    })
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    endpoint::path_of(path).split('/').filter(|segment| !segment.is_empty())
}

/// How a delivery ended: the integration's own word, else by the answer's status.
fn ended(look: &Lookup<'_, '_>, class: Class) -> (&'static str, &'static str) {
    let (by_status, why) = match look.i64(Attr::HttpStatus) {
        Some(200..300) => ("accepted", ""),
        Some(401 | 403) => ("rejected", "bad_signature"),
        Some(400) => ("rejected", "malformed"),
        Some(409) => ("duplicate", ""),
        Some(500..) => ("rejected", "handler_error"),
        Some(_) => ("rejected", ""),
        None if class.is_good() => ("accepted", ""),
        None => ("rejected", "handler_error"),
    };
    let said = look.str(Attr::WebhookResult).and_then(|said| known(&RESULTS, said));
    let reason = look.str(Attr::WebhookReason).and_then(|said| known(&REASONS, said));
    let result = said.unwrap_or(by_status);
    (result, if result == "accepted" { "" } else { reason.unwrap_or(if said.is_none() { why } else { "" }) })
}

const RESULTS: [&str; 5] = ["accepted", "rejected", "duplicate", "out_of_order", "dead_lettered"];
/// Why a delivery is turned away.
pub const REASONS: [&str; 6] =
    ["bad_signature", "stale_timestamp", "unknown_sender", "unknown_event", "malformed", "handler_error"];

fn known(names: &[&'static str], said: &str) -> Option<&'static str> {
    names.iter().find(|name| **name == said).copied()
}

/// The increment that a delivery is.
pub fn count(delivery: &Delivery) -> Count {
    let attributes = [
        (Attr::WebhookProvider, &*delivery.provider),
        (Attr::WebhookEventType, &*delivery.event_type),
        (Attr::WebhookResult, delivery.result),
        (Attr::WebhookReason, delivery.reason),
    ];
    let integration = delivery.integration.clone();
    Count::of(integration, DERIVED, "{delivery}", &attributes, (delivery.time, delivery.weight))
}

/// Reads `integration.webhook.rejected`.
pub fn rejected(look: &Lookup<'_, '_>) -> Said {
    let text = |attr| Arc::from(endpoint::cut(look.str(attr).unwrap_or("")));
    Said::WebhookRejected(WebhookRejected {
        provider: text(Attr::WebhookProvider),
        event_type: text(Attr::WebhookEventType),
        reason: text(Attr::WebhookReason),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::provider::{Provider, Signature};
    use crate::signals::telemetry::{Attributes, Value};

    fn read(pairs: &[(&'static str, &'static str)]) -> Option<Seen> {
        let mut span = Span { kind: SpanKind::Server, ..Span::default() };
        span.attributes.push("http.request.method".into(), Value::Str("POST".into()));
        for (key, value) in pairs {
            let value = match value.parse() {
                Ok(number) => Value::Int(number),
                Err(_) if key.contains(".header.") => Value::Json((*value).into()),
                Err(_) => Value::Str((*value).into()),
            };
            span.attributes.push((*key).into(), value);
        }
        let signature = Signature { header: "x-acme-signature".into(), ..Signature::default() };
        let acme = Provider { id: "acme".into(), signature: Some(signature), ..Provider::default() };
        let none = Attributes::default();
        let look = Lookup { own: &span.attributes, scope: &none, resource: &none };
        seen(&span, &look, Class::Ok, &Providers::new(vec![acme]))
    }

    #[test]
    fn a_post_is_a_webhook_by_its_route_its_id_or_a_header_and_else_none() {
        for route in ["/webhook", "/api/webhooks/orders", "/hooks/{id}", "/oauth/Callback", "/callbacks/"] {
            assert!(read(&[("http.route", route)]).is_some(), "{route}");
        }
        for route in ["/orders", "/webhookers", "/myhooks/x", "/hook"] {
            assert_eq!(read(&[("http.route", route)]), None, "{route}");
        }
        for (name, vendor) in [
            ("http.request.header.webhook-id", ""),
            ("http.request.header.x_github_delivery", "github"),
            ("http.request.header.stripe-signature", "stripe"),
            ("http.request.header.ce-id", ""),
            ("cloudevents.event_id", ""),
        ] {
            let found = read(&[("http.route", "/in"), (name, "[\"a1\"]")]).expect(name);
            assert_eq!(found.provider, vendor, "{name}");
            assert_eq!(found.id.is_some(), vendor != "stripe", "{name}: a signature is no id");
        }
    }

    #[test]
    fn the_vendor_and_the_event_are_named_by_whatever_tells_them() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let found = read(pairs).expect("a webhook");
            (found.provider, found.event_type)
        };
        let route = ("http.route", "/webhooks/acme");
        assert_eq!(of(&[route]), ("acme".into(), None), "a segment that is a vendor's id");
        assert_eq!(of(&[("http.route", "/webhooks/other")]), (String::new(), None));
        let signed = ("http.request.header.x-acme-signature", "[\"[redacted]\"]");
        assert_eq!(of(&[("http.route", "/hooks"), signed]).0, "acme");
        let topic = ("http.request.header.x-shopify-topic", "[\"orders/create\"]");
        assert_eq!(of(&[route, topic]).1.as_deref(), Some("orders/create"));
        let own = ("integration.webhook.provider", "billing");
        assert_eq!(
            of(&[route, own, ("cloudevents.event_type", "paid")]),
            ("billing".into(), Some("paid".into()))
        );
    }

    #[test]
    fn the_answer_says_how_it_ended_and_the_integration_knows_better() {
        let route = ("http.route", "/webhooks");
        for (status, wanted) in [
            ("204", ("accepted", "")),
            ("400", ("rejected", "malformed")),
            ("401", ("rejected", "bad_signature")),
            ("403", ("rejected", "bad_signature")),
            ("404", ("rejected", "")),
            ("409", ("duplicate", "")),
            ("503", ("rejected", "handler_error")),
        ] {
            let found = read(&[route, ("http.response.status_code", status)]).expect("a webhook");
            assert_eq!((found.result, found.reason), wanted, "{status}");
        }
        let late =
            [route, ("http.response.status_code", "200"), ("integration.webhook.result", "out_of_order")];
        assert_eq!(read(&late).map(|found| found.result), Some("out_of_order"));
        let stale = [
            route,
            ("http.response.status_code", "400"),
            ("integration.webhook.result", "rejected"),
            ("integration.webhook.reason", "stale_timestamp"),
        ];
        assert_eq!(read(&stale).map(|found| found.reason), Some("stale_timestamp"));
        let odd = [route, ("http.response.status_code", "200"), ("integration.webhook.result", "meh")];
        assert_eq!(read(&odd).map(|found| found.result), Some("accepted"));
    }
}
