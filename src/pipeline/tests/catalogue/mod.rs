//! What the rules that ship do with a quiet month and with each failure (the two catalogues of semantics section 17): on
//! simulated time, through all that decides. A failure fires its rule within its time, once, is the only one that mails,
//! and resolves after healing.

mod failures;
mod quiet;

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::evaluate::{Facts, evaluate};
use crate::alert::incident::{Change, Instance, InstanceKey, Transition};
use crate::alert::load::load;
use crate::alert::overlay::Overlays;
use crate::alert::rule::RuleSet;
use crate::alert::tier::Tier;
use crate::health::gone;
use crate::health::trial::{Said, Trial, whose};
use crate::rollup::window::Minute;
use crate::signals::observation::{CallKey, IntegrationKey};

/// A world with the rules that ship.
struct Stage {
    trial: Trial,
    rules: RuleSet,
    tier: Tier,
    overlays: Overlays,
    integrations: Vec<IntegrationKey>,
    instances: BTreeMap<InstanceKey, Instance>,
    told: Vec<(Minute, Transition)>,
}

fn shipped() -> RuleSet {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/alerts");
    let texts = |folder: String, ending: &str| -> Vec<(String, String)> {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let meant = files.filter(|path| path.extension().is_some_and(|found| found == ending));
        meant.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
    };
    load(&texts(folder.into(), "toml"), &texts(format!("{folder}/runbooks"), "md")).unwrap()
}

impl Stage {
    fn new(integrations: &[&str]) -> Stage {
        Stage {
            trial: Trial::new(),
            rules: shipped(),
            tier: Tier::default(),
            overlays: Overlays::default(),
            integrations: integrations.iter().map(|name| whose(name)).collect(),
            instances: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    fn of_tier(mut self, tier: &str) -> Stage {
        self.tier = Tier::from_name(tier).unwrap();
        self
    }

    /// Minutes that are learned and not judged: a past.
    fn before(&mut self, minutes: i64, mut say: impl FnMut(Minute, &mut Said)) {
        for _ in 0..minutes {
            self.trial.minute(&self.integrations, &mut say);
        }
    }

    /// Minutes that are judged.
    fn minutes(&mut self, minutes: i64, mut say: impl FnMut(Minute, &mut Said)) {
        for _ in 0..minutes {
            self.minute(&mut say);
        }
    }

    fn minute(&mut self, say: impl FnOnce(Minute, &mut Said)) {
        self.trial.minute(&self.integrations, say);
        let (tick, tier) = (self.trial.now, self.tier);
        let values = self.trial.values();
        let usual = &self.trial.usual;
        let seldom = |key: &CallKey| gone::seldom(usual, key, tick);
        let facts = Facts {
            seldom: &seldom,
            recent: &self.trial.part,
            values: &values,
            tiers: &|_| tier,
            providers: &self.trial.context.providers,
            overlays: &self.overlays,
            notifies: &|environment| environment == "production",
        };
        let steps = evaluate(&self.rules, &facts, &mut self.instances, tick);
        self.told.extend(steps.into_iter().filter(|step| step.notify).map(|step| (tick, step)));
        self.trial.excluded = self.instances.values().any(|instance| {
            instance.incident.as_ref().is_some_and(|incident| incident.resolved_at.is_none())
        });
    }

    /// What was told, as a person reads it.
    fn words(&self) -> Vec<String> {
        let word = |(at, step): &(Minute, Transition)| {
            format!("{} {:?} {} | {}", at.0, step.change, step.incident.rule, step.incident.sentence)
        };
        self.told.iter().map(word).collect()
    }

    #[track_caller]
    fn nothing_was_told(&self) {
        assert!(self.told.is_empty(), "{:#?}", self.words());
    }

    /// The rule fires within so many minutes of what is said, is the only one that mails, once, and goes on so.
    #[track_caller]
    fn fires(&mut self, rule: &str, within: i64, mut say: impl FnMut(Minute, &mut Said)) {
        self.nothing_was_told();
        let begun = self.trial.now;
        while self.told.is_empty() && self.trial.now.0 - begun.0 < within {
            self.minute(&mut say);
        }
        let open = || {
            self.instances.values().filter_map(|one| one.incident.as_ref().map(|_| one.key.rule.to_string()))
        };
        assert!(
            !self.told.is_empty(),
            "{rule} was not told within {within} min; {:?}",
            open().collect::<BTreeSet<_>>()
        );
        // A while more of the same: nobody else is told.
        self.minutes(30, &mut say);
        let kinds: Vec<(String, Change)> =
            self.told.iter().map(|(_, step)| (step.incident.rule.to_string(), step.change)).collect();
        assert_eq!(kinds, [(rule.to_owned(), Change::Fired)], "{:#?}", self.words());
        let sentence = &self.told[0].1.incident.sentence;
        assert!(sentence.ends_with('.') && sentence.len() > 20, "{rule}: {sentence:?}");
        println!("{rule}: {} min: {sentence}", self.told[0].0.0 - begun.0);
    }

    /// It is told as over within so many minutes of what is said, and nothing else is told.
    #[track_caller]
    fn resolves(&mut self, rule: &str, within: i64, mut say: impl FnMut(Minute, &mut Said)) {
        let begun = self.trial.now;
        while self.told.len() < 2 && self.trial.now.0 - begun.0 < within {
            self.minute(&mut say);
        }
        let last = self.told.last().map(|(_, step)| (step.incident.rule.to_string(), step.change));
        assert_eq!(last, Some((rule.to_owned(), Change::Resolved)), "{:#?}", self.words());
        self.minutes(30, &mut say);
        assert_eq!(self.told.len(), 2, "{:#?}", self.words());
    }
}
