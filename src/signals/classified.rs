//! Ambiguous answers that somebody has classified for good: a 404 that says "not there yet", or one that is a failure.
//!
//! It holds from then on, for what comes: what was counted before stays as it was counted.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::call::Class;
use super::observation::{CallKey, IntegrationKey};

/// An endpoint of an integration's peer; empty parts of a configuration's entry mean any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Whose {
    /// `deployment.environment.name`.
    pub environment: String,
    /// The integration's name.
    pub integration: String,
    /// Host name of the other side.
    pub peer: String,
    /// `GET /v1/charges/{id}`.
    pub endpoint: String,
}

impl Whose {
    /// The endpoint of a series.
    pub fn of(key: &CallKey) -> Whose {
        Whose {
            environment: key.integration.environment.to_string(),
            integration: key.integration.name.to_string(),
            peer: key.peer.to_string(),
            endpoint: key.endpoint.to_string(),
        }
    }
}

/// What was classified, and whether such an answer is good.
#[derive(Debug, Default)]
pub struct Classified {
    /// By the configuration: it goes over what was clicked.
    configured: Vec<(Whose, bool)>,
    clicked: RwLock<HashMap<Whose, bool>>,
}

impl Classified {
    /// What the configuration says, and what people said before.
    pub fn new(
        configured: Vec<(Whose, bool)>,
        clicked: impl IntoIterator<Item = (Whose, bool)>,
    ) -> Classified {
        Classified { configured, clicked: RwLock::new(clicked.into_iter().collect()) }
    }

    /// Somebody classifies the ambiguous answers of an endpoint, for good or as failures; none takes it back.
    pub fn click(&self, whose: Whose, good: Option<bool>) {
        let mut clicked = self.clicked.write().unwrap_or_else(PoisonError::into_inner);
        match good {
            Some(good) => clicked.insert(whose, good),
            None => clicked.remove(&whose),
        };
    }

    /// Whether such an answer of an endpoint is good; none where nobody has said.
    pub fn of(&self, whose: &Whose) -> Option<bool> {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        let configured = self.configured.iter().find(|(one, _)| {
            fits(&one.environment, &whose.environment)
                && fits(&one.integration, &whose.integration)
                && fits(&one.peer, &whose.peer)
                && fits(&one.endpoint, &whose.endpoint)
        });
        let clicked = || self.clicked.read().unwrap_or_else(PoisonError::into_inner).get(whose).copied();
        configured.map(|(_, good)| *good).or_else(clicked)
    }

    /// The class of an attempt: what was said of it where it is ambiguous, else as it is.
    pub fn class(&self, class: Class, key: impl FnOnce() -> Option<Whose>) -> Class {
        if !matches!(class, Class::AmbiguousRead | Class::AmbiguousWrite) || self.is_empty() {
            return class;
        }
        match key().and_then(|whose| self.of(&whose)) {
            Some(true) => Class::Ok,
            Some(false) => Class::Validation,
            None => class,
        }
    }

    fn is_empty(&self) -> bool {
        self.configured.is_empty() && self.clicked.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// The name under which a word on an endpoint is kept: its peer and itself.
pub fn name(peer: &str, endpoint: &str) -> String {
    format!("{peer}\n{endpoint}")
}

/// Whether a word calls such answers good; none where it takes an earlier one back.
pub fn good(word: &str) -> Option<bool> {
    match word {
        "good" => Some(true),
        "failure" => Some(false),
        _ => None,
    }
}

/// The endpoint that a word is on, by the name under which it is kept.
pub fn named(integration: &IntegrationKey, name: &str) -> Option<Whose> {
    let (peer, endpoint) = name.split_once('\n')?;
    Some(Whose {
        environment: integration.environment.to_string(),
        integration: integration.name.to_string(),
        peer: peer.to_owned(),
        endpoint: endpoint.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(endpoint: &str) -> Whose {
        Whose {
            environment: "production".into(),
            integration: "crm".into(),
            peer: "api.example".into(),
            endpoint: endpoint.into(),
        }
    }

    #[test]
    fn a_word_holds_for_its_endpoint_and_ambiguous_answers_only() {
        let classified = Classified::default();
        let class = |class, endpoint| classified.class(class, || Some(whose(endpoint)));
        assert_eq!(class(Class::AmbiguousRead, "GET /a"), Class::AmbiguousRead);
        classified.click(whose("GET /a"), Some(true));
        classified.click(whose("GET /b"), Some(false));
        assert_eq!(class(Class::AmbiguousRead, "GET /a"), Class::Ok);
        assert_eq!(class(Class::AmbiguousRead, "GET /b"), Class::Validation);
        assert_eq!(class(Class::AmbiguousRead, "GET /c"), Class::AmbiguousRead);
        assert_eq!(class(Class::Server, "GET /a"), Class::Server);
        classified.click(whose("GET /a"), None);
        assert_eq!(class(Class::AmbiguousRead, "GET /a"), Class::AmbiguousRead);
    }

    #[test]
    fn the_configuration_goes_over_a_click_and_may_name_less() {
        let any = Whose { endpoint: "GET /a".into(), ..Whose::default() };
        let classified =
            Classified::new(vec![(any, false)], [(whose("GET /a"), true), (whose("GET /b"), true)]);
        assert_eq!(
            (classified.of(&whose("GET /a")), classified.of(&whose("GET /b"))),
            (Some(false), Some(true))
        );
    }

    #[test]
    fn names_come_back() {
        let key = IntegrationKey { environment: "production".into(), name: "crm".into() };
        assert_eq!(named(&key, &name("api.example", "GET /a")), Some(whose("GET /a")));
        assert_eq!(named(&key, "no peer"), None);
    }
}
