//! The server on a faulty machine (`tests/faulty`), and its audit of a data folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::Value;

use super::home::Home;
use super::server::{Server, on_home};

/// The example's binary. `cargo test` builds it with everything else; a run of this test target alone does not, so
/// it is built here where it is missing or older than what it is made of.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = Path::new(env!("CARGO_BIN_EXE_seamwatch")).parent().expect("a binary lies in a folder");
        let path = folder.join("examples/faulty");
        let made_of = ["src", "templates", "static", "migrations", "alerts", "tests/faulty", "Cargo.lock"];
        let newest =
            made_of.iter().map(|part| changed(&root.join(part))).max().expect("it is made of something");
        if !path.exists() || changed(&path) < newest {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--locked", "--quiet", "--example", "faulty"]).current_dir(root);
            if folder.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().is_ok_and(|status| status.success()), "the example faulty does not build");
        }
        path
    })
}

/// When a file, or the latest of the files in a folder, was changed.
fn changed(path: &Path) -> SystemTime {
    if path.is_dir() {
        let inside = std::fs::read_dir(path).expect("a folder of ours can be read");
        let times = inside.map(|entry| changed(&entry.expect("a folder of ours can be read").path()));
        return times.max().unwrap_or(SystemTime::UNIX_EPOCH);
    }
    path.metadata().and_then(|about| about.modified()).expect("a file of ours has a time")
}

/// The faulty server's command, with nothing of this process' own settings around it.
pub fn serve(home: &Home, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SEAMWATCH_")) {
        command.env_remove(name);
    }
    let mut command = on_home(command, home);
    command.args(more);
    command
}

/// Starts it. None where it ended itself before it was ready.
pub fn start(home: &Home, more: &[&str]) -> Option<Server> {
    match Server::run(&mut serve(home, more)) {
        Ok(server) => Some(server),
        Err((status, said)) => {
            use std::os::unix::process::ExitStatusExt;
            let signal = status.and_then(|status| status.signal());
            assert_eq!(signal, Some(9), "it ended by itself: {status:?}\n{said}");
            None
        }
    }
}

/// What the data folder of a server that does not run holds: `integration endpoint` → attempts, rows, distinct.
pub fn audit(home: &Home) -> Value {
    let mut command = Command::new(binary());
    let told = command.arg("audit").args([home.data(), &home.config()]).output().expect("the audit runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).expect("the audit prints JSON")
}
