//! What is measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prost::Message;

use crate::body::{Body, SPANS, Shape, USUAL};
use crate::load::{self, Load, Sent};
use crate::server::Server;

pub struct Plan {
    pub quick: bool,
    pub only: Vec<String>,
    pub binary: PathBuf,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { quick: false, only: Vec::new(), binary: target().join("release/seamwatch") }
    }
}

/// Figures by scenario and name.
pub type Figures = BTreeMap<String, BTreeMap<String, f64>>;

/// Runs the scenarios of a plan.
pub fn run(plan: &Plan) -> Result<Figures, String> {
    const NAMES: [&str; 9] =
        ["http", "key", "grpc", "gzip", "endpoints-10", "endpoints-10000", "memory", "half", "sustained"];
    if let Some(unknown) = plan.only.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!("there is no scenario {unknown}"));
    }
    let wanted = |name: &str| match plan.only.is_empty() {
        true => name != "sustained",
        false => plan.only.iter().any(|only| only == name),
    };
    let seconds = |usual: u64| Duration::from_secs(if plan.quick { 3 } else { usual });
    let mut figures = Figures::new();
    let mut keep = |name: &str, of: BTreeMap<String, f64>| {
        eprintln!("{name}: {}", line(&of));
        figures.insert(name.to_owned(), of);
    };
    keep("reference", reference(&bodies(USUAL)));
    for (name, shape, grpc, gzip) in [
        ("http", USUAL, false, false),
        ("key", USUAL, false, false),
        ("grpc", USUAL, true, false),
        ("gzip", USUAL, false, true),
        ("endpoints-10", Shape { services: 1, endpoints: 10 }, false, false),
        ("endpoints-10000", Shape { services: 20, endpoints: 500 }, false, false),
        ("memory", Shape { services: 10, endpoints: 500 }, false, false),
    ] {
        if wanted(name) {
            let load = Load {
                bodies: bodies(shape),
                connections: 4,
                duration: seconds(20),
                rate: None,
                gzip,
                key: None,
            };
            keep(name, measured(plan, load, shape, grpc, name == "key").0);
        }
    }
    if wanted("half") {
        let load = Load {
            bodies: bodies(USUAL),
            connections: 4,
            duration: seconds(10),
            rate: None,
            gzip: false,
            key: None,
        };
        let full = measured(plan, load.clone(), USUAL, false, false).1.spans_per_second();
        let load = Load { rate: Some(full / 2.0), duration: seconds(20), ..load };
        keep("half", measured(plan, load, USUAL, false, false).0);
    }
    if wanted("sustained") {
        let load = Load {
            bodies: bodies(USUAL),
            connections: 4,
            duration: seconds(600),
            rate: None,
            gzip: false,
            key: None,
        };
        keep("sustained", measured(plan, load, USUAL, false, false).0);
    }
    Ok(figures)
}

/// The workspace's folder of builds.
fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

fn bodies(shape: Shape) -> Vec<Body> {
    let bodies: Vec<Body> = (0..40).map(|at| Body::new(shape, at % shape.services, at as u64)).collect();
    bodies.iter().for_each(|body| {
        let mut body = body.clone();
        body.stamp(0, 1_700_000_000_000_000_000);
        body.check();
    });
    bodies
}

fn measured(
    plan: &Plan,
    mut load: Load,
    shape: Shape,
    grpc: bool,
    keyed: bool,
) -> (BTreeMap<String, f64>, Sent) {
    let data = target().join("bench-data");
    let server = Server::start(&plan.binary, &data, shape.endpoints, keyed);
    load.key.clone_from(&server.key);
    let watch = Watch::start(&server, load.duration);
    let idle_cpu = server.cpu_seconds();
    let sent = if grpc { load::grpc(&server.grpc, &load) } else { load::http(&server.http, &load) };
    let to_last_ack = server.cpu_seconds() - idle_cpu;
    let drained = server.wait_until_flushed(sent.requests);
    let (early, late) = watch.lags();
    let used = server.stop();
    let millions = sent.spans() as f64 / 1e6;
    let mut figures = BTreeMap::new();
    let mut put = |name: &str, value: f64| figures.insert(name.to_owned(), value);
    put("million spans", millions);
    put("spans/s", sent.spans_per_second());
    put("CPU-s/Mspan", used.cpu_seconds / millions);
    put("CPU-s/Mspan to last ack", to_last_ack / millions);
    put("ack p50 ms", sent.latency(0.5));
    put("ack p99 ms", sent.latency(0.99));
    put("ack max ms", sent.latency(1.0));
    put("refused", sent.refused as f64);
    put("peak RSS MiB", used.peak_rss_mib);
    put("segment B/span", used.segment_bytes as f64 / sent.spans() as f64);
    put("catalog B/span", used.catalog_bytes as f64 / sent.spans() as f64);
    put("flushed after s", drained.as_secs_f64());
    put("lag ms, first quarter", early);
    put("lag ms, last quarter", late);
    (figures, sent)
}

/// Asks the server for its lag while it is under load: a lag that grows is a server that does not keep up.
struct Watch {
    asking: std::thread::JoinHandle<Vec<f64>>,
}

impl Watch {
    fn start(server: &Server, duration: Duration) -> Watch {
        let ask = server.asker();
        let end = Instant::now() + duration;
        let asking = std::thread::spawn(move || {
            let mut lags = Vec::new();
            while Instant::now() + Duration::from_secs(1) < end {
                std::thread::sleep(Duration::from_millis(500));
                lags.extend(ask()["lag_ms"].as_f64());
            }
            lags
        });
        Watch { asking }
    }

    /// Median lag in the first and in the last quarter of the time.
    fn lags(self) -> (f64, f64) {
        let lags = self.asking.join().expect("the watch ends");
        let median = |part: &[f64]| {
            let mut part = part.to_vec();
            part.sort_by(f64::total_cmp);
            part.get(part.len() / 2).copied().unwrap_or(0.0)
        };
        let quarter = (lags.len() / 4).max(1).min(lags.len());
        (median(&lags[..quarter]), median(&lags[lags.len() - quarter..]))
    }
}

/// CPU seconds that prost needs to decode a million of the same spans, and to drop them. By the kernel's account of
/// this thread, so that it is the same on a machine that does other work; how much it did is told beside it.
fn reference(bodies: &[Body]) -> BTreeMap<String, f64> {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;
    let first = |file: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.split_whitespace().next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    let others = first("/proc/loadavg");
    let mut best = f64::MAX;
    for _ in 0..9 {
        let from = first("/proc/thread-self/schedstat");
        for body in bodies {
            std::hint::black_box(Request::decode(&body.bytes[..]).expect("the body is a valid request"));
        }
        best = best.min((first("/proc/thread-self/schedstat") - from) / 1e9);
    }
    let bytes: usize = bodies.iter().map(|body| body.bytes.len()).sum();
    let spans = (bodies.len() * SPANS) as f64;
    [
        ("CPU-s/Mspan", best / spans * 1e6),
        ("raw B/span", bytes as f64 / spans),
        ("load average of the machine before", others),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn line(figures: &BTreeMap<String, f64>) -> String {
    let figures: Vec<String> = figures.iter().map(|(name, value)| format!("{name} {value:.2}")).collect();
    figures.join(" · ")
}
