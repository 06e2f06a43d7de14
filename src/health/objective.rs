//! `slo.burn_rate`: how fast the allowance for failures is used up (semantics section 11, objectives of section 12).
//!
//! Three pairs of a long and a short window, of which both must burn. One figure stands for all of them, so that one rule
//! with two levels judges it: the burn itself over 3 days, which warns from 1 x on; the two fast pairs on the scale of the
//! six hours, where 6 x is their limit, so that whatever is over 6 x is one of them (ADR 71).

use super::lines::Lines;
use super::say::span;
use super::sight::Sight;
use super::value::Value;
use crate::rollup::window::Minute;
use crate::signals::call::Judged;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::Signal;
use crate::usual::key::{Figure, UsualKey};
use crate::usual::track::hour_of;

/// Where the fast pairs begin on the figure's scale.
pub const FAST: f64 = 6.0;
/// Bad operations in a long window that carry a verdict.
const LEAST_BAD: f64 = 10.0;

/// A long and a short window in minutes, and the burn that both must be over.
struct Pair {
    long: i64,
    short: i64,
    limit: f64,
}

const PAIRS: [Pair; 3] = [
    Pair { long: 60, short: 5, limit: 14.4 },
    Pair { long: 360, short: 30, limit: FAST },
    Pair { long: 3 * 1440, short: 360, limit: 1.0 },
];

/// One value an integration with outbound calls in the last three days.
pub fn values(sight: &Sight<'_>, lines: &Lines<'_>, out: &mut Vec<Value>) {
    for integration in sight.integrations() {
        let allowed = 1.0 - objective(sight.tier(integration));
        let burn = |minutes| {
            let judged = over(sight, lines, integration, minutes);
            let rate = judged.success_rate()?;
            Some(((1.0 - rate) / allowed, judged.bad))
        };
        let mut worst: Option<(f64, String)> = None;
        let mut known = false;
        for pair in &PAIRS {
            let Some((long, bad)) = burn(pair.long) else { continue };
            known = true;
            // Without a call in the short window nothing burns now.
            let short = burn(pair.short).map_or(0.0, |(short, _)| short);
            if bad < LEAST_BAD {
                continue;
            }
            let both = long.min(short);
            // A fast pair says nothing below its limit: a burn of 2 x for six hours is not yet one for three days.
            let value = match pair.limit {
                1.0 => both.min(FAST),
                limit if both > limit => both / limit * FAST,
                _ => 0.0,
            };
            let said = format!(
                "{bad:.0} failures in {}: the allowance of {:.1} % burns at {long:.1} x, in the last {} at {short:.1} x",
                span(pair.long * 60),
                allowed * 100.0,
                span(pair.short * 60),
            );
            if worst.as_ref().is_none_or(|(kept, _)| value > *kept) {
                worst = Some((value, said));
            }
        }
        if !known {
            continue;
        }
        let few = || (0.0, format!("fewer than {LEAST_BAD} failures in {}", span(PAIRS[2].long * 60)));
        let (value, why) = worst.unwrap_or_else(few);
        out.push(Value::of(Signal::SloBurnRate, integration, value, sight.now()).because(why));
    }
}

/// The share of good operations that is asked of a tier.
fn objective(tier: &str) -> f64 {
    match tier {
        "critical" => 0.995,
        "simple" => 0.95,
        _ => 0.99,
    }
}

/// Operations of the last minutes: up to two hours minute by minute, beyond that whole hours and the running one.
fn over(sight: &Sight<'_>, lines: &Lines<'_>, integration: &IntegrationKey, minutes: i64) -> Judged {
    let tick = sight.tick;
    if minutes <= 120 {
        return lines.judged(integration, Minute(tick.0 - minutes), tick);
    }
    let running = hour_of(tick);
    let mut sum = lines.judged(integration, Minute(running * 60), tick);
    for (figure, into) in [(Figure::Good, &mut sum.good), (Figure::Bad, &mut sum.bad)] {
        let track = sight.usual.of_key(&UsualKey::new(integration, figure, ""));
        let hours = track.into_iter().flat_map(|track| track.hours.since(running - minutes / 60));
        *into += hours.filter(|(hour, _)| *hour < running).map(|(_, value)| value).sum::<f64>();
    }
    sum
}

#[cfg(test)]
mod tests;
