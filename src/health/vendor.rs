//! The vendor's clock: what is announced to end, and in how long (semantics section 10).

use std::collections::BTreeMap;

use super::sight::Sight;
use super::value::Value;
use crate::rollup::state::row::{Announced, State};
use crate::signals::signal::{Label, Signal};

/// What ended so long ago is no news any more.
const PAST: i64 = 30 * 86_400;

/// `vendor.sunset_in`, by peer and endpoint: the earliest of what is announced of it.
pub fn values(sight: &Sight<'_>, out: &mut Vec<Value>) {
    let told = sight.part.states.values().filter_map(|state| match state {
        State::Announced(announced) => Some(announced),
        _ => None,
    });
    let mut earliest: BTreeMap<(&str, &str), &Announced> = BTreeMap::new();
    for one in told.chain(&sight.context.notices) {
        let kept = earliest.entry((&one.peer, &one.endpoint)).or_insert(one);
        if one.effective_at < kept.effective_at {
            *kept = one;
        }
    }
    for ((peer, endpoint), one) in earliest {
        let left = one.effective_at.saturating_sub(sight.now_seconds());
        if left < -PAST {
            continue;
        }
        let provider = sight.context.providers.of(peer).map_or("", |provider| &provider.id);
        let value = Value::shared(Signal::VendorSunsetIn, left as f64, one.at)
            .with(Label::Provider, provider)
            .with(Label::Peer, peer)
            .with(Label::Endpoint, endpoint);
        out.push(value.because(one.text.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::feed::{Feed, MONDAY};

    #[test]
    fn the_earliest_of_what_is_announced_counts_down_and_is_forgotten_a_month_after() {
        let mut feed = Feed::new();
        let at = MONDAY.0 * 60 + 30 * 86_400;
        let notice = |effective_at, text: &str| Announced {
            at: 1,
            peer: "api.stripe.com".into(),
            endpoint: "".into(),
            effective_at,
            text: text.into(),
        };
        feed.context.notices = vec![notice(at + 86_400, "later"), notice(at, "API version 2019-03-14 ends")];
        feed.close();
        let value = feed.value(Signal::VendorSunsetIn).unwrap();
        assert_eq!((value.value, &*value.why), (30.0 * 86_400.0 - 60.0, "API version 2019-03-14 ends"));
        assert_eq!(value.label(Label::Peer), "api.stripe.com");
        feed.now.0 += 61 * 1440;
        feed.context.notices.truncate(2);
        assert_eq!(feed.value(Signal::VendorSunsetIn), None);
    }
}
