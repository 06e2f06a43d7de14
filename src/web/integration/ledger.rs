//! The record ledger on the integration's page: how many records of the last day came to each hop, and which stopped.

use crate::health::ledger::{Funnel, Funnels, LISTED, RecordsOf, SETTLES, Stopped};
use crate::rollup::ledger::{DAY, RATE, RECORDS};
use crate::rollup::state::row::{State, StateKey, StateKind};
use crate::rollup::window::{Map, Minute};
use crate::signals::fact::Hop;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store::Error;
use crate::web;
use crate::web::format::{self, When};
use crate::web::view::figure;

/// The records of one entity.
pub struct FunnelRow {
    /// `order`; `records` where it has no name.
    pub entity: String,
    /// How many came to each hop.
    pub hops: Vec<(&'static str, String)>,
    /// How many stopped.
    pub stopped: String,
    /// `bad` where any did.
    pub class: &'static str,
    /// What is kept, and up to where.
    pub sample: String,
    /// What the list holds.
    pub heading: String,
    /// Those that stopped, the oldest first.
    pub records: Vec<StoppedRow>,
}

/// A record that stopped.
pub struct StoppedRow {
    /// The hash of its key.
    pub key: String,
    /// The furthest hop it came to.
    pub hop: &'static str,
    /// When it was heard of first.
    pub first: When,
    /// How long ago that is.
    pub age: String,
    /// The trace that told of it last; empty where none did.
    pub trace: String,
    /// Its log records.
    pub logs: String,
}

/// Reads the funnels of an integration by name; the store is asked only where any of its records was ever told of.
///
/// # Errors
/// What the store says.
pub async fn read(
    state: &web::State,
    states: &Map<StateKey, State>,
    name: &str,
    now: Nanos,
) -> Result<Vec<(RecordsOf, Funnel)>, Error> {
    if !states.keys().any(|key| key.kind == StateKind::Reached && &*key.integration.name == name) {
        return Ok(Vec::new());
    }
    let mut funnels = Funnels::new(states, Minute::of(now));
    let since = Minute(Minute::of(now).0 - DAY).start();
    state.store.ledger(Some(name), since, |key, way| funnels.take(&key, &way)).await?;
    Ok(funnels.all().into_iter().collect())
}

/// The funnels of an integration, by entity.
pub fn rows(integration: &IntegrationKey, all: &[(RecordsOf, Funnel)], now: Nanos) -> Vec<FunnelRow> {
    let own = all.iter().filter(|((whose, _), _)| whose == integration);
    own.map(|((_, entity), funnel)| row(integration, entity, funnel, now)).collect()
}

fn row(integration: &IntegrationKey, entity: &str, funnel: &Funnel, now: Nanos) -> FunnelRow {
    let counts = Hop::ALL.iter().zip(funnel.hops);
    let name = figure::encoded(&integration.name);
    let record = |one: &Stopped| StoppedRow {
        key: one.record.to_string(),
        hop: one.hop.name(),
        first: When::new(one.first, now),
        age: age(now - one.first),
        trace: one.trace.map(|trace| format!("{trace:032x}")).unwrap_or_default(),
        logs: format!("/api/v1/logs?integration={name}&q={}", figure::encoded(&one.record)),
    };
    let limits = format!(
        "up to {RATE} hops a minute of an integration and {} records in memory",
        format::count(RECORDS as f64)
    );
    let sample = match funnel.bits {
        0 => format!("all records are kept, {limits}"),
        bits => format!(
            "one record in {} is kept, by the hash of its key: all are {limits}, these were more",
            1u32 << bits.min(20)
        ),
    };
    let heading = match funnel.stopped {
        many if many > LISTED as u64 => format!("The {LISTED} oldest that stopped"),
        _ => format!("Records that stopped for more than {SETTLES} minutes"),
    };
    FunnelRow {
        entity: if entity.is_empty() { "records".into() } else { entity.to_owned() },
        hops: counts.map(|(hop, count)| (hop.name(), format::count(count as f64))).collect(),
        stopped: format::count(funnel.stopped as f64),
        class: if funnel.stopped == 0 { "" } else { "bad" },
        sample,
        heading,
        records: funnel.oldest.iter().map(record).collect(),
    }
}

fn age(nanos: Nanos) -> String {
    let minutes = nanos.max(0) / 60_000_000_000;
    match minutes {
        0..60 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}
