//! Counts what a data folder holds: calls in the minutes, rows and distinct spans in the segments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use seamwatch::config::Config;
use seamwatch::rollup::window::Minute;
use seamwatch::server::encryption;
use seamwatch::store::segments::values::{ids, strings};
use seamwatch::store::{Detail, Settings, Store};
use seamwatch::world::World;
use seamwatch::world::sealed::{self, Closed};

/// What is known of one endpoint.
#[derive(Default)]
struct Counts {
    attempts: u64,
    rows: u64,
    distinct: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

/// Prints one line of JSON: endpoint → {attempts, rows, distinct}.
pub async fn print(folder: &Path, config: &Path) -> anyhow::Result<()> {
    let keyring = encryption::keyring(&Config::read(config).map_err(anyhow::Error::msg)?)?;
    // Opening removes the files that no flush committed, so what is left is what the catalog names.
    let store =
        Store::open(Settings { keyring: keyring.clone(), ..Settings::new(folder) }, &World::real()).await?;
    let mut endpoints: BTreeMap<String, Counts> = BTreeMap::new();
    let all = store.window(Minute(0), Minute(i64::MAX), None, Detail::Counts).await?;
    for ((_, key), row) in &all.calls {
        let of = endpoints.entry(format!("{} {}", key.integration.name, key.endpoint)).or_default();
        of.attempts += row.tally.unweighted.iter().sum::<u64>();
    }
    store.close().await;
    for file in files(&folder.join("segments/l0/spans"))? {
        let bytes = std::fs::read(&file)?;
        let opened = match sealed::opened(&keyring, &bytes) {
            Err(Closed::Plain) => Bytes::from(bytes),
            opened => Bytes::from(opened?),
        };
        for batch in ParquetRecordBatchReaderBuilder::try_new(opened)?.build()? {
            let batch = batch.with_context(|| format!("{} cannot be read", file.display()))?;
            let (traces, spans) = (ids(&batch, "trace_id")?, ids(&batch, "span_id")?);
            let (integrations, named) = (strings(&batch, "integration")?, strings(&batch, "endpoint")?);
            for row in 0..batch.num_rows() {
                let of = format!("{} {}", integrations.value(row), named.value(row));
                let of = endpoints.entry(of).or_default();
                of.rows += 1;
                of.distinct.insert((traces.value(row).to_vec(), spans.value(row).to_vec()));
            }
        }
    }
    let told: BTreeMap<_, _> = endpoints
        .iter()
        .map(|(endpoint, of)| {
            let counts =
                serde_json::json!({"attempts": of.attempts, "rows": of.rows, "distinct": of.distinct.len()});
            (endpoint, counts)
        })
        .collect();
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}
