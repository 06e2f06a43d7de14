//! Whose telemetry it is: (environment, integration), by vocabulary section 2.

use super::lookup::Lookup;
use super::observation::{IntegrationInfo, IntegrationKey};
use super::telemetry::Attributes;
use super::vocabulary::Attr;

/// Longest name kept, in bytes.
const LONGEST: usize = 120;

/// An operator's rule that names telemetry: every pattern that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// The integration's name.
    pub name: String,
    /// `service.name` is this.
    pub service: Option<String>,
    /// The peer's host is this.
    pub peer: Option<String>,
    /// The route starts like this.
    pub route_prefix: Option<String>,
    /// `integration.queue.name` is this.
    pub queue: Option<String>,
}

/// What a resource says by itself, before any operator's rule that looks at single records.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// What it says.
    pub info: IntegrationInfo,
    /// Whether `integration.name` was given on the resource: then no rule applies.
    pub explicit: bool,
    /// `service.name`, for rules.
    pub service: String,
}

/// Reads a resource.
pub fn identify(resource: &Attributes<'_>) -> Identity {
    let text = |attr| resource.get(attr).map(|value| value.text().into_owned()).unwrap_or_default();
    let service = match text(Attr::ServiceName) {
        unknown if unknown.starts_with("unknown_service") => String::new(),
        known => known,
    };
    let given = text(Attr::IntegrationName);
    let namespace = text(Attr::ServiceNamespace);
    let name = match (given.is_empty(), service.is_empty(), namespace.is_empty()) {
        (false, ..) => given.clone(),
        (true, false, false) => format!("{namespace}.{service}"),
        (true, false, true) => service.clone(),
        (true, true, _) => "unnamed".to_owned(),
    };
    let environment = text(Attr::Environment);
    let environment = if environment.is_empty() { "default".to_owned() } else { environment };
    Identity {
        explicit: !given.is_empty(),
        service,
        info: IntegrationInfo {
            key: IntegrationKey { environment: short(&environment).into(), name: short(&name).into() },
            source: short(&text(Attr::SourceName)).to_owned(),
            destination: short(&text(Attr::DestinationName)).to_owned(),
            owner: short(&text(Attr::OwnerName)).to_owned(),
            tier: short(&text(Attr::Tier)).to_owned(),
            version: short(&text(Attr::ServiceVersion)).to_owned(),
        },
    }
}

/// The name that a single record's own attribute or an operator's rule gives it; none to keep the resource's.
pub fn renamed<'r>(
    identity: &Identity,
    rules: &'r [Naming],
    look: &'r Lookup<'_, '_>,
    peer: &str,
) -> Option<&'r str> {
    let own = look.own.get(Attr::IntegrationName).or_else(|| look.scope.get(Attr::IntegrationName));
    if let Some(own) = own.and_then(|value| value.as_str()).filter(|name| !name.is_empty()) {
        return Some(short(own));
    }
    if identity.explicit {
        return None;
    }
    let route = || {
        look.str(Attr::HttpRoute).or_else(|| look.str(Attr::UrlPath)).or_else(|| look.str(Attr::HttpTarget))
    };
    let matches = |rule: &&Naming| {
        let patterns = [&rule.service, &rule.peer, &rule.route_prefix, &rule.queue];
        patterns.iter().any(|pattern| pattern.is_some())
            && rule.service.as_ref().is_none_or(|service| *service == identity.service)
            && rule.peer.as_ref().is_none_or(|host| host == peer)
            && rule
                .route_prefix
                .as_ref()
                .is_none_or(|prefix| route().is_some_and(|route| route.starts_with(prefix.as_str())))
            && rule.queue.as_ref().is_none_or(|queue| look.str(Attr::QueueName) == Some(queue))
    };
    rules.iter().find(matches).map(|rule| rule.name.as_str())
}

fn short(text: &str) -> &str {
    let end = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::signals::telemetry::Value;

    fn resource(pairs: &[(&'static str, &'static str)]) -> Attributes<'static> {
        let mut attributes = Attributes::default();
        for (key, value) in pairs {
            attributes.push(Cow::Borrowed(*key), Value::Str(Cow::Borrowed(*value)));
        }
        attributes
    }

    fn name(pairs: &[(&'static str, &'static str)]) -> String {
        identify(&resource(pairs)).info.key.name.to_string()
    }

    #[test]
    fn the_order_of_names() {
        assert_eq!(name(&[("integration.name", "shop"), ("service.name", "worker")]), "shop");
        assert_eq!(name(&[("service.name", "worker")]), "worker");
        assert_eq!(name(&[("service.name", "worker"), ("service.namespace", "crm")]), "crm.worker");
        assert_eq!(name(&[("service.name", "unknown_service:node")]), "unnamed");
        assert_eq!(name(&[]), "unnamed");
    }

    #[test]
    fn an_operators_rule_splits_a_service_and_never_renames_an_explicit_integration() {
        let rules = [Naming {
            name: "billing".into(),
            service: Some("worker".into()),
            peer: Some("api.stripe.com".into()),
            ..Naming::default()
        }];
        let none = Attributes::default();
        let plain = resource(&[("service.name", "worker")]);
        let look = Lookup { own: &none, scope: &none, resource: &plain };
        assert_eq!(renamed(&identify(&plain), &rules, &look, "api.stripe.com"), Some("billing"));
        assert_eq!(renamed(&identify(&plain), &rules, &look, "api.hubapi.com"), None);
        let named = resource(&[("service.name", "worker"), ("integration.name", "x")]);
        assert_eq!(renamed(&identify(&named), &rules, &look, "api.stripe.com"), None);
    }
}
