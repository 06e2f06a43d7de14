//! A folder of its own for one server: configuration, rules, data. It goes with the test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::server::Server;

/// The rules that ship, in the repository.
pub const SHIPPED_ALERTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/alerts");

pub struct Home {
    folder: TempDir,
    alerts: PathBuf,
    data: PathBuf,
}

impl Home {
    /// An empty configuration and the rules that ship.
    pub fn new() -> Home {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let home = Home { data: folder.path().join("data"), folder, alerts: SHIPPED_ALERTS.into() };
        home.configure("");
        home
    }

    /// Nothing but these rules, each (file name, text); `runbooks/*.md` goes in the same way.
    pub fn with_rules(mut self, files: &[(&str, &str)]) -> Home {
        self.alerts = self.folder.path().join("alerts");
        for (name, text) in files {
            self.write_rule(name, text);
        }
        self
    }

    /// Another data folder below the home.
    pub fn with_data(mut self, path: &str) -> Home {
        self.data = self.folder.path().join(path);
        self
    }

    /// Writes one file below the rules' folder.
    pub fn write_rule(&self, name: &str, text: &str) {
        assert_ne!(self.alerts, Path::new(SHIPPED_ALERTS), "the rules of the repository are not for writing");
        write(&self.alerts.join(name), text);
    }

    /// Replaces the configuration file.
    pub fn configure(&self, text: &str) {
        write(&self.config(), text);
    }

    /// Writes a key of one digit and gives its file's name.
    pub fn key(&self, name: &str, digit: char) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join(name);
        write(&path, &digit.to_string().repeat(64));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        path.display().to_string()
    }

    /// Replaces the configuration by one that encrypts.
    pub fn encrypt_with(&self, key_file: &str, old: &[&str]) {
        self.configure(&format!("[encryption]\nkey_file = {key_file:?}\nold_key_files = {old:?}\n"));
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("seamwatch.toml")
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn alerts(&self) -> &Path {
        &self.alerts
    }

    /// Starts the server on this home; it is ready when this returns.
    pub fn start(&self) -> Server {
        Server::start(self)
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
    std::fs::write(path, text).expect("a file can be written");
}
