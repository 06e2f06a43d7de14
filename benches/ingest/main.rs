//! `scripts/bench ingest`: the release binary under load from this machine's own senders.
//!
//! Each scenario starts the server on an empty folder, loads it, waits until all is in the catalog and stops it in
//! order. CPU is the whole process' by the system's accounting, background work and the last flush included. Speeds
//! of machines differ, so every run also measures a reference on the same bodies (prost decoding one span and
//! dropping it), and comparisons are of ratios to it.

mod body;
mod load;
mod report;
mod scenario;
mod server;

use std::path::PathBuf;

use scenario::{Plan, run};

const USAGE: &str = "\
scripts/bench ingest [--quick] [--only NAME]... [--json FILE] [--binary FILE]

  --quick        a few seconds a scenario, to see that it runs; its figures are noise
  --only NAME    only this scenario: http, key, grpc, gzip, endpoints-10, endpoints-10000, memory, half, sustained
  --json FILE    also write the figures there; benches/ingest/baseline.json is compared with unless it is FILE
  --binary FILE  another server binary

`key` is `http` with an ingest key: compare the two of one run. `sustained` takes ten minutes and runs only when it is named.";

fn main() {
    let mut plan = Plan::default();
    let mut json = None;
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| fail(&format!("{argument} needs a value")));
        match argument.as_str() {
            "--quick" => plan.quick = true,
            "--only" => plan.only.push(value()),
            "--json" => json = Some(PathBuf::from(value())),
            "--binary" => plan.binary = value().into(),
            _ => fail(&format!("unknown argument {argument}")),
        }
    }
    let figures = run(&plan).unwrap_or_else(|problem| fail(&problem));
    report::print(&figures, json.as_deref());
}

fn fail(problem: &str) -> ! {
    eprintln!("{problem}\n\n{USAGE}");
    std::process::exit(2);
}
