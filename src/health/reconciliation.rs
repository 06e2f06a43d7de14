//! Reconciliations that do not come (semantics section 8). What they find is in `rollup::gap`.

use std::collections::BTreeMap;

use super::run::Schedule;
use super::sight::Sight;
use super::value::Value;
use crate::rollup::state::row::{State, StateKey, StateKind, of_run};
use crate::rollup::window::Minute;
use crate::signals::observation::{IntegrationKey, ReconciliationRun};
use crate::signals::signal::{Label, Signal};
use crate::usual::key::{Figure, UsualKey};

/// `reconciliation.overdue`.
pub fn values(sight: &Sight<'_>, out: &mut Vec<Value>) {
    let now = sight.now();
    let mut latest: BTreeMap<(&IntegrationKey, &str, &str), (&ReconciliationRun, usize)> = BTreeMap::new();
    for run in sight.part.reconciliations.values().filter(|run| run.time < now) {
        let known = latest.entry((&run.integration, &run.name, &run.entity)).or_insert((run, 0));
        known.1 += 1;
        if run.time > known.0.time {
            known.0 = run;
        }
    }
    for ((integration, name, entity), (run, runs)) in latest {
        let last = Minute::of(run.time);
        // What was said of a run that has come since says nothing of the next.
        let next_at = next(sight, integration, name).filter(|next| *next > last.0 * 60);
        let key = UsualKey::new(integration, Figure::RunGap, &of_run(name, entity, ""));
        let schedule = Schedule { last, next_at, runs, key };
        if let Some((late, why)) = schedule.late(sight) {
            let value = Value::of(Signal::ReconciliationOverdue, integration, late, now);
            out.push(value.with(Label::Reconciliation, name).with(Label::Entity, entity).because(why));
        }
    }
}

fn next(sight: &Sight<'_>, integration: &IntegrationKey, name: &str) -> Option<i64> {
    let (integration, kind) = (integration.clone(), StateKind::NextRun);
    match sight.part.states.get(&StateKey { integration, kind, name: name.into() })? {
        State::NextRun(next) => next.get().copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::feed::{Feed, shop};
    use crate::signals::observation::{Gauge, GaugeKey, Observations};
    use crate::signals::reconciliation::of;

    const DAY: i64 = 1440;

    fn ran(feed: &mut Feed) {
        let run = of(shop(), "orders", "order", &feed.minute().to_string(), feed.now.start() + 1);
        feed.take(&Observations { reconciliations: vec![run], ..Observations::default() });
    }

    fn says(feed: &mut Feed, next_in: i64) {
        let key = GaugeKey {
            integration: shop(),
            metric: "integration.reconciliation.next_run_at".into(),
            unit: "".into(),
            attributes: vec![("integration.reconciliation.name".into(), "orders".into())],
            additive: false,
            reporter: 1,
        };
        let value = ((feed.now.0 + next_in) * 60) as f64;
        let gauge = Gauge { key, time: feed.now.start() + 2, value };
        feed.take(&Observations { gauges: vec![gauge], ..Observations::default() });
    }

    fn close(feed: &mut Feed, minutes: i64) -> f64 {
        (0..minutes).for_each(|_| feed.close());
        feed.value(Signal::ReconciliationOverdue).map_or(-1.0, |value| value.value)
    }

    #[test]
    fn one_that_said_when_it_would_run_is_overdue_ten_minutes_after() {
        let mut feed = Feed::new();
        ran(&mut feed);
        says(&mut feed, DAY);
        assert_eq!(close(&mut feed, DAY), 0.0, "a level that was told once counts until it has run");
        assert_eq!(close(&mut feed, 11), 660.0);
        let value = feed.value(Signal::ReconciliationOverdue).unwrap();
        assert_eq!((value.label(Label::Reconciliation), value.label(Label::Entity)), ("orders", "order"));
        ran(&mut feed);
        assert_eq!(close(&mut feed, 1), -1.0, "it says nothing of the next, and too little is known");
    }

    #[test]
    fn one_that_says_nothing_is_overdue_by_what_is_usual() {
        let mut feed = Feed::new();
        for _ in 0..3 {
            ran(&mut feed);
            assert_eq!(close(&mut feed, 7 * DAY), -1.0, "weekly, and too few are known");
        }
        for _ in 0..3 {
            ran(&mut feed);
            close(&mut feed, 7 * DAY);
        }
        assert_eq!(close(&mut feed, 3 * DAY), 0.0);
        assert!(close(&mut feed, DAY) > 600.0);
    }
}
