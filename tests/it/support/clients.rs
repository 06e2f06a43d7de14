//! Programs in other languages, with what `scripts/test` installed for them.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::wait_until;

/// The folder of installed clients.
fn installed() -> PathBuf {
    let given = std::env::var_os("SEAMWATCH_TEST_ENV").map(PathBuf::from);
    given.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".test-env"))
}

fn needed(path: &str) -> PathBuf {
    let path = installed().join(path);
    assert!(
        path.exists(),
        "{} is missing. Run scripts/test, which installs what the tests need.",
        path.display()
    );
    path
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    // Their own authorities too: requests puts REQUESTS_CA_BUNDLE over what its caller says.
    let is_setting = |name: &str| {
        name.starts_with("OTEL_") || ["_PROXY", "_proxy", "_CA_BUNDLE"].iter().any(|end| name.ends_with(end))
    };
    for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command
}

/// A Python script of `tests/clients`.
pub fn python(name: &str) -> Command {
    let mut command = clean(needed("python/bin/python"));
    command.arg(script(name));
    command
}

/// The same under OpenTelemetry's automatic instrumentation, as an operator would start it.
pub fn instrumented_python(name: &str) -> Command {
    let mut command = clean(needed("python/bin/opentelemetry-instrument"));
    command.arg(needed("python/bin/python")).arg(script(name));
    command
}

/// A program that a Python package brings.
pub fn python_program(name: &str) -> Command {
    clean(needed(&format!("python/bin/{name}")))
}

/// A Node script of `tests/clients`.
pub fn node(name: &str) -> Command {
    let modules = needed("node/node_modules");
    let mut command = clean("node");
    command.arg(script(name)).env("SEAMWATCH_TEST_MODULES", modules.parent().unwrap_or(&modules));
    command
}

/// Debian's Chromium, wherever it is on the path.
pub fn chromium() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.exists());
    found.expect("chromium is missing. Run scripts/test, which installs what the tests need.")
}

/// Runs a client to its end and reads the JSON that it printed last.
pub fn run(mut command: Command) -> Value {
    let said = format!("{command:?}");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(
            |error| panic!("{said}: {error}. Run scripts/test, which installs what the tests need."),
        );
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            from.read_to_string(&mut text).map(|_| text).unwrap_or_default()
        })
    };
    let out = read(Box::new(child.stdout.take().expect("stdout is a pipe")));
    let err = read(Box::new(child.stderr.take().expect("stderr is a pipe")));
    let status =
        wait_until(&said, Duration::from_secs(240), || child.try_wait().expect("a child can be waited for"));
    let (out, err) = (out.join().expect("a reader ends"), err.join().expect("a reader ends"));
    assert!(status.success(), "{said}: {status}\n{out}\n{err}");
    let last = out.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("");
    serde_json::from_str(last)
        .unwrap_or_else(|error| panic!("{said}: printed no JSON ({error})\n{out}\n{err}"))
}
