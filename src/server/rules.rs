//! The rules in force: replaced whole, or not at all.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::sync::{mpsc, watch};

use super::settings;
use crate::access::audit::Actor;
use crate::alert::rule::RuleSet;
use crate::clock::Clock;
use crate::pipeline::Event;
use crate::rules::{Loaded, Origin};
use crate::store::Store;
use crate::web::RulesView;

/// The rules in force and what the pages show of them.
pub struct Rules {
    origin: Origin,
    clock: Clock,
    store: Store,
    version: Mutex<Vec<(PathBuf, Option<SystemTime>, u64)>>,
    loaded: watch::Sender<Arc<Loaded>>,
    view: watch::Sender<Arc<RulesView>>,
}

impl Rules {
    /// The rules that were loaded from an origin.
    pub fn new(origin: Origin, loaded: Loaded, clock: &Clock, store: Store) -> Rules {
        let view = settings::rules_view(&loaded, clock());
        Rules {
            version: Mutex::new(origin.version()),
            origin,
            clock: clock.clone(),
            store,
            loaded: watch::Sender::new(Arc::new(loaded)),
            view: watch::Sender::new(Arc::new(view)),
        }
    }

    /// What the corridor judges by.
    pub fn in_force(&self) -> Arc<RuleSet> {
        self.loaded.borrow().rules.clone()
    }

    /// The text of a runbook by its file name.
    pub fn runbook(&self, name: &str) -> Option<String> {
        let loaded = self.loaded.borrow();
        let named = |(file, _): &(&String, &String)| file.rsplit('/').next() == Some(name);
        loaded.rules.runbooks.iter().find(named).map(|(_, text)| text.clone())
    }

    /// The text of a rule by its id.
    pub fn text(&self, id: &str) -> Option<String> {
        self.loaded.borrow().texts.get(id).cloned()
    }

    /// What the pages show, as it changes.
    pub fn view(&self) -> watch::Receiver<Arc<RulesView>> {
        self.view.subscribe()
    }

    /// Reads the set again when a file changed.
    pub async fn reload_if_changed(&self, events: &mpsc::Sender<Event>) {
        let now = self.origin.version();
        let changed = self.version.lock().is_ok_and(|version| *version != now);
        if changed {
            self.reload(events).await;
        }
    }

    /// Reads the set again; a broken one is told on the dashboard and the old one stays.
    pub async fn reload(&self, events: &mpsc::Sender<Event>) {
        if let Ok(mut version) = self.version.lock() {
            *version = self.origin.version();
        }
        match self.origin.load() {
            Ok(loaded) => {
                let view = settings::rules_view(&loaded, (self.clock)());
                self.loaded.send_replace(Arc::new(loaded.clone()));
                self.view.send_replace(Arc::new(view));
                let count = loaded.rules.rules.len();
                let _ = events.send(Event::Rules(loaded.rules)).await;
                tracing::info!("Other rules are in force.");
                let force = if count == 1 { "rule is" } else { "rules are" };
                self.audit("rules.reloaded", format!("{count} {force} in force.")).await;
            }
            Err(problems) => {
                tracing::error!(
                    problems = problems.join("; "),
                    "The rules were not changed: the new set has problems."
                );
                let noun = if problems.len() == 1 { "problem" } else { "problems" };
                let detail = format!("The old ones stay: the new set has {} {noun}.", problems.len());
                self.view.send_modify(|view| Arc::make_mut(view).problems = problems);
                self.audit("rules.refused", detail).await;
            }
        }
    }

    /// The rules go on where the log cannot be written.
    async fn audit(&self, action: &str, detail: String) {
        let entry = Actor::server().did((self.clock)(), action, "rules".to_owned(), detail);
        if let Err(error) = self.store.audit(&entry).await {
            tracing::warn!(%error, "That the rules were read again is not in the audit log.");
        }
    }
}
