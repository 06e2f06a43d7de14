//! `disk.c` between the real server and its files: records what is done to them, or makes it fail.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::home::Home;
use super::server::{Server, serve};

/// The library, compiled once a run. SQLite and zstd are compiled at build time, so there is a compiler.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/disk.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("disk-{}.so", std::process::id()));
        let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&path).arg(source);
        assert!(compiler.status().is_ok_and(|status| status.success()), "disk.c does not compile");
        path
    })
}

/// Puts the library between a server and its home.
fn watch<'c>(command: &'c mut Command, home: &Path) -> &'c mut Command {
    command.env("LD_PRELOAD", library()).env("DISK_ROOT", home)
}

/// Starts a server that writes all it does to its data folder into a log.
pub fn recorded(home: &Home, log: &Path) -> Server {
    Server::run(watch(&mut serve(home), home.path()).env("DISK_LOG", log))
        .unwrap_or_else(|(status, said)| panic!("{status:?}\n{said}"))
}

/// A disk whose faults the test switches.
pub struct Faults {
    home: PathBuf,
    lines: PathBuf,
}

impl Faults {
    /// None yet.
    pub fn new(home: &Home) -> Faults {
        let home = home.path().to_owned();
        let faults = Faults { lines: home.join("disk-faults"), home };
        faults.set("");
        faults
    }

    /// Lines `OP PART WHAT`, as `disk.c` explains them; they hold from now on.
    pub fn set(&self, lines: &str) {
        let aside = self.lines.with_extension("aside");
        std::fs::write(&aside, lines).expect("a file can be written");
        std::fs::rename(&aside, &self.lines).expect("a file can be renamed");
    }

    /// Lets a server run on this disk.
    pub fn around<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        watch(command, &self.home).env("DISK_FAULTS", &self.lines)
    }

    /// Starts a server on this disk.
    pub fn start(&self, home: &Home) -> Server {
        Server::run(self.around(&mut serve(home)))
            .unwrap_or_else(|(status, said)| panic!("{status:?}\n{said}"))
    }
}
