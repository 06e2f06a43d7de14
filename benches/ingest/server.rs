//! The server under load, and what the system says it used.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ticks a second of the kernel's process accounting, on every Linux there is.
const TICKS: f64 = 100.0;

pub struct Server {
    child: Child,
    data: PathBuf,
    pub web: String,
    pub http: String,
    pub grpc: String,
    /// What senders show, where the server asks for it.
    pub key: Option<String>,
}

/// What a finished server used.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// User and system time of the whole process, from start to end.
    pub cpu_seconds: f64,
    pub peak_rss_mib: f64,
    pub segment_bytes: u64,
    pub catalog_bytes: u64,
}

impl Server {
    /// Starts `binary` on an empty folder, with a key for what is sent or without any.
    pub fn start(binary: &Path, data: &Path, endpoints: usize, keyed: bool) -> Server {
        let _ = std::fs::remove_dir_all(data);
        std::fs::create_dir_all(data).expect("the data folder can be made");
        let config = data.join("bench.toml");
        // Each of them is to be a series of its own: past these limits it would be `(other)`.
        let limits = format!(
            "[ingest]\nendpoints_per_integration = {}\ntemplates_per_peer = {}\n",
            endpoints.max(500),
            endpoints.max(200)
        );
        std::fs::write(&config, limits).expect("the configuration can be written");
        let key = keyed.then(|| {
            let made = Command::new(binary)
                .args(["keys", "add", "bench", "--integration", "integrations.worker-*"])
                .args(["--environment", "production"])
                .args(["--data", &data.join("seamwatch").display().to_string()])
                .output()
                .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.display()));
            assert!(made.status.success(), "no key: {}", String::from_utf8_lossy(&made.stderr));
            String::from_utf8_lossy(&made.stdout).trim().to_owned()
        });
        let mut child = Command::new(binary)
            .arg("serve")
            .args(["--data", &data.join("seamwatch").display().to_string()])
            .args(["--config", &config.display().to_string()])
            .args(["--web", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"])
            .env("SEAMWATCH_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.display()));
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        out.read_line(&mut line).expect("a line");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let address = |name: &str| ready[name].as_str().expect("an address").to_owned();
        let (web, http, grpc) = (address("web"), address("otlp_http"), address("otlp_grpc"));
        Server { child, data: data.to_owned(), web, http, grpc, key }
    }

    /// CPU seconds so far.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        ticks(&stat, 13) + ticks(&stat, 14)
    }

    /// Resident memory now, and its peak, in MiB.
    pub fn memory_mib(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        };
        (of("VmRSS:").unwrap_or(0.0) / 1024.0, of("VmHWM:").unwrap_or(0.0) / 1024.0)
    }

    /// `/api/v1/system`.
    pub fn system(&self) -> serde_json::Value {
        system(&self.web)
    }

    /// The same for another thread.
    pub fn asker(&self) -> impl Fn() -> serde_json::Value + Send + 'static {
        let web = self.web.clone();
        move || system(&web)
    }

    /// Waits until all that was acknowledged is in the catalog: until the watermark stands at the last request.
    ///
    /// Where there are keys, nobody is told without a login; stopping it flushes all the same.
    pub fn wait_until_flushed(&self, requests: u64) -> Duration {
        let from = Instant::now();
        if self.key.is_some() {
            return Duration::ZERO;
        }
        while self.system()["watermark"].as_u64().unwrap_or(0) < requests {
            assert!(
                from.elapsed() < Duration::from_secs(120),
                "the server does not catch up: {}",
                self.system()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        from.elapsed()
    }

    /// Stops it in order and says what it used, its last flush included.
    pub fn stop(mut self) -> Used {
        let (_, peak_rss_mib) = self.memory_mib();
        let before = children();
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().is_ok_and(|status| status.success()));
        let status = self.child.wait().expect("a child can be waited for");
        assert!(status.success(), "the server ended with {status}");
        // Also the few ticks of `kill` itself.
        let cpu_seconds = children() - before;
        let seamwatch = self.data.join("seamwatch");
        let segment_bytes = size(&seamwatch.join("segments"));
        let used = Used {
            cpu_seconds,
            peak_rss_mib,
            segment_bytes,
            catalog_bytes: size(&seamwatch) - segment_bytes,
        };
        let _ = std::fs::remove_dir_all(&self.data);
        used
    }
}

fn system(web: &str) -> serde_json::Value {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(web)?;
        write!(stream, "GET /api/v1/system HTTP/1.1\r\nhost: {web}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body.trim()).unwrap_or(serde_json::Value::Null)
}

/// CPU seconds of all children that have ended.
fn children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    ticks(&stat, 15) + ticks(&stat, 16)
}

/// Field `n` of `/proc/PID/stat`, counted from 0, in seconds.
fn ticks(stat: &str, n: usize) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().nth(n - 2).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0)
        / TICKS
}

fn size(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => size(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}
