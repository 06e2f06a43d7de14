//! The figures as a table and as JSON, beside the committed baseline.

use std::path::Path;

use crate::scenario::Figures;

/// What costs: these are also shown as multiples of the reference of the same run.
const COSTS: [&str; 2] = ["CPU-s/Mspan", "CPU-s/Mspan to last ack"];

/// Prints the table, and writes the JSON where a file is named.
pub fn print(figures: &Figures, json: Option<&Path>) {
    let baseline_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/baseline.json");
    let baseline: Option<Figures> = std::fs::read_to_string(&baseline_file)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .filter(|_| json.is_none_or(|file| !same(file, &baseline_file)));
    let reference = |figures: &Figures| figures.get("reference").and_then(|of| of.get(COSTS[0])).copied();
    println!("{:<16} {:<24} {:>12} {:>12} {:>8}", "scenario", "figure", "now", "baseline", "ratio");
    for (scenario, of) in figures {
        for (name, value) in of {
            let before = baseline.as_ref().and_then(|figures| figures.get(scenario)?.get(name)).copied();
            row(scenario, name, Some(*value), before);
            if COSTS.contains(&name.as_str()) && scenario != "reference" {
                let by = |value: f64, figures: &Figures| Some(value / reference(figures)?);
                let before = before.zip(baseline.as_ref()).and_then(|(value, figures)| by(value, figures));
                row(scenario, &format!("  {name} ÷ reference"), by(*value, figures), before);
            }
        }
    }
    let growth = |figures: &Figures| {
        let cost = |scenario: &str| figures.get(scenario)?.get(COSTS[0]).copied();
        Some(cost("endpoints-10000")? / cost("endpoints-10")?)
    };
    if let Some(now) = growth(figures) {
        row("growth", "CPU 10,000 ÷ 10 endp.", Some(now), baseline.as_ref().and_then(growth));
    }
    if let Some(file) = json {
        let text = serde_json::to_string_pretty(figures).expect("numbers are JSON");
        std::fs::write(file, text + "\n").unwrap_or_else(|error| eprintln!("{}: {error}", file.display()));
    }
}

fn row(scenario: &str, name: &str, now: Option<f64>, before: Option<f64>) {
    let text = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
    let ratio = now.zip(before).filter(|(_, before)| *before != 0.0).map(|(now, before)| now / before);
    println!("{scenario:<16} {name:<24} {:>12} {:>12} {:>8}", text(now), text(before), text(ratio));
}

fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
