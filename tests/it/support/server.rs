//! The real binary, from its ready line to its end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::home::Home;
use super::{SOON, wait_until};

/// A server that runs. Dropping it kills it; a failing test prints what it said.
pub struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
    http: reqwest::blocking::Client,
    /// `HOST:PORT` of dashboard and API.
    pub web: String,
    /// `HOST:PORT` of OTLP over HTTP, and of `/report`.
    pub otlp_http: String,
    /// `HOST:PORT` of OTLP over gRPC.
    pub otlp_grpc: String,
}

/// The binary with nothing of this process' own settings around it.
pub fn seamwatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seamwatch"));
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("SEAMWATCH_") || name.starts_with("OTEL_"))
    {
        command.env_remove(name);
    }
    command
}

/// `seamwatch serve` on a home, with every port picked by the system.
pub fn serve(home: &Home) -> Command {
    on_home(seamwatch(), home)
}

/// The arguments that make a server serve on a home.
pub fn on_home(mut command: Command, home: &Home) -> Command {
    command.arg("serve").arg("--data").arg(home.data()).arg("--config").arg(home.config());
    command.arg("--alerts").arg(home.alerts());
    for port in ["--web", "--otlp-http", "--otlp-grpc"] {
        command.args([port, "127.0.0.1:0"]);
    }
    command.current_dir(home.path());
    command
}

impl Server {
    /// On a home; it is ready when this returns.
    pub fn start(home: &Home) -> Server {
        Server::run(&mut serve(home))
            .unwrap_or_else(|(status, said)| panic!("no ready line; {status:?}\n{said}"))
    }

    /// By a command of one's own. Where the server ends before it is ready: how, and its last words.
    pub fn run(command: &mut Command) -> Result<Server, (Option<ExitStatus>, String)> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let said = Arc::new(Mutex::new(String::new()));
        keep_what_is_said(child.stderr.take().expect("stderr is a pipe"), said.clone());
        let mut out = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut line = String::new();
        // The ready line, or the end of the output if the server gave up.
        out.read_line(&mut line).expect("stdout is text");
        keep_what_is_said(out, said.clone());
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let status = child.wait().ok();
            std::thread::sleep(Duration::from_millis(100));
            let said = said.lock().expect("no reader panicked");
            return Err((status, format!("{line}{said}")));
        };
        let address =
            |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned();
        let http = reqwest::blocking::Client::builder()
            .timeout(SOON)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client can be made");
        let (web, otlp_http, otlp_grpc) = (address("web"), address("otlp_http"), address("otlp_grpc"));
        Ok(Server { child, said, http, web, otlp_http, otlp_grpc })
    }

    /// GET on the web port.
    pub fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(format!("http://{}{path}", self.web)).send())
    }

    /// Any request on the web port.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("http://{}{path}", self.web)).body(body);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        Answer::of(request.send())
    }

    /// GET on the web port, of JSON that must be there.
    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    /// POST to the OTLP/HTTP port.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        self.try_post(path, headers, body).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// The same, where the server may be gone.
    pub fn try_post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, String> {
        let mut request = self.http.post(format!("http://{}{path}", self.otlp_http)).body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().map_err(|error| error.to_string())?;
        Answer::read(response).map_err(|error| error.to_string())
    }

    /// Sends an OTLP request in protobuf that must be accepted whole.
    pub fn export(&self, path: &str, message: &impl prost::Message) {
        let answer = self.post(path, &[("content-type", "application/x-protobuf")], message.encode_to_vec());
        assert_eq!((answer.status, answer.body.len()), (200, 0), "POST {path}: {}", answer.text());
    }

    /// Items of `/api/v1/integrations/{name}/endpoints` over the last hour and the minute that runs.
    pub fn endpoints(&self, integration: &str) -> Vec<Value> {
        let now = super::otlp::now() / 1_000_000_000;
        let path =
            format!("/api/v1/integrations/{integration}/endpoints?from={}&to={}", now - 3600, now + 60);
        let answer = self.get(&path);
        match answer.status {
            404 => Vec::new(),
            200 => answer.json()["items"]
                .as_array()
                .unwrap_or_else(|| panic!("no items in {}", answer.text()))
                .clone(),
            status => panic!("GET {path}: {status} {}", answer.text()),
        }
    }

    /// The item of one endpoint, where it is there yet.
    pub fn endpoint(&self, integration: &str, endpoint: &str) -> Option<Value> {
        self.endpoints(integration).into_iter().find(|item| item["endpoint"] == endpoint)
    }

    /// Waits until an endpoint has this many attempts, and gives its item. More at any moment is a failure.
    pub fn counted(&self, integration: &str, endpoint: &str, attempts: u64) -> Value {
        let mut last = Value::Null;
        let what = format!("{attempts} attempts of {integration} {endpoint}");
        wait_until(&what, SOON, || {
            last = self.endpoint(integration, endpoint)?;
            let seen = last["attempts"].as_f64().unwrap_or_else(|| panic!("no attempts in {last}"));
            assert!(seen <= attempts as f64, "{what}: counted {seen}");
            (seen == attempts as f64).then(|| last.clone())
        })
    }

    /// Sends a signal by name (`TERM`, `HUP`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} could not be sent");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory in KiB: what it has now, and the most it ever had.
    pub fn memory(&self) -> (u64, u64) {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            kib.unwrap_or_else(|| panic!("no {name} in {path}"))
        };
        (figure("VmRSS"), figure("VmHWM"))
    }

    /// Waits for the server to end by itself.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        wait_until("the server's end", within, || self.child.try_wait().expect("a child can be waited for"))
    }

    /// All that it said on stderr so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("no reader panicked").clone()
    }

    /// Whether it still runs.
    pub fn is_up(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is no fault here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.said.lock().map(|said| said.clone()).unwrap_or_default();
            let tail: Vec<&str> = said.lines().rev().take(60).collect();
            eprintln!("--- the server's last words");
            tail.into_iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

fn keep_what_is_said(mut from: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(read) = from.read(&mut chunk) {
            if read == 0 {
                return;
            }
            if let Ok(mut into) = into.lock() {
                into.push_str(&String::from_utf8_lossy(&chunk[..read]));
            }
        }
    });
}

/// An answer, read whole.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    fn of(response: reqwest::Result<reqwest::blocking::Response>) -> Answer {
        response.and_then(Answer::read).unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    fn read(response: reqwest::blocking::Response) -> reqwest::Result<Answer> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes()?.to_vec() })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }
}
