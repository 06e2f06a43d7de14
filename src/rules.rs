//! The rules in force: read from a folder or from the set that ships, watched, and replaced only by a set that is whole.

pub mod shipped;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::alert::load::load;
use crate::alert::maintenance::Maintenance;
use crate::alert::overrides::{self, Override};
use crate::alert::rule::{Problem, RuleSet};

/// The file of overrides in a folder of rules: it is no rule.
const OVERRIDES: &str = "overrides.toml";

/// Where rules come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A folder of `*.toml`, with `runbooks/*.md` in it.
    Folder(PathBuf),
    /// Files in the binary: (rules, runbooks), each (name, text).
    Embedded(Vec<(String, String)>, Vec<(String, String)>),
}

/// A set that is whole.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The rules with their runbooks.
    pub rules: Arc<RuleSet>,
    /// The text of each rule by its id.
    pub texts: Arc<BTreeMap<String, String>>,
}

impl Origin {
    /// The folder that is given, else `alerts` where it exists, else the set that ships.
    pub fn choose(given: Option<&Path>) -> Origin {
        let by_default = Path::new("alerts");
        match given {
            Some(folder) => Origin::Folder(folder.to_owned()),
            None if by_default.is_dir() => Origin::Folder(by_default.to_owned()),
            None => Origin::shipped(),
        }
    }

    /// The set that ships.
    pub fn shipped() -> Origin {
        Origin::embedded(shipped::RULES, shipped::RUNBOOKS)
    }

    /// A set in the binary.
    pub fn embedded(rules: &[(&str, &str)], runbooks: &[(&str, &str)]) -> Origin {
        let owned = |files: &[(&str, &str)]| -> Vec<(String, String)> {
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        Origin::Embedded(owned(rules), owned(runbooks))
    }

    /// Reads and checks the whole set. Problems come back as sentences with file:line.
    pub fn load(&self) -> Result<Loaded, Vec<String>> {
        let (rules, runbooks) = match self {
            Origin::Embedded(rules, runbooks) => (rules.clone(), runbooks.clone()),
            Origin::Folder(folder) => {
                let mut rules = texts(folder, "toml")?;
                rules.retain(|(file, _)| file.rsplit('/').next() != Some(OVERRIDES));
                (rules, texts(&folder.join("runbooks"), "md")?)
            }
        };
        let loaded = load(&rules, &runbooks);
        let mut set =
            loaded.map_err(|problems| problems.iter().map(Problem::to_string).collect::<Vec<_>>())?;
        set.maintenance = self.maintenance()?;
        set.overrides = self.overrides(&set)?;
        let id = |file: &str| file.rsplit('/').next().unwrap_or(file).trim_end_matches(".toml").to_owned();
        let texts = rules.into_iter().map(|(file, text)| (id(&file), text)).collect();
        Ok(Loaded { rules: Arc::new(set), texts: Arc::new(texts) })
    }

    /// What the operator asks otherwise, in the file of that name; none ships, and it need not be there.
    fn overrides(&self, rules: &RuleSet) -> Result<Vec<Override>, Vec<String>> {
        let Origin::Folder(folder) = self else { return Ok(Vec::new()) };
        let path = folder.join(OVERRIDES);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| vec![format!("{shown}: cannot be read: {error}.")])?;
        let found = overrides::parse(&shown, &text, &rules.rules)
            .map_err(|problems| problems.iter().map(Problem::to_string).collect::<Vec<_>>())?;
        let known = |runbook: &String| rules.runbooks.contains_key(runbook);
        let lost =
            found.iter().filter_map(|one| Some((one, one.runbook.as_ref().filter(|name| !known(name))?)));
        let lost: Vec<String> = lost
            .map(|(one, runbook)| format!("{}: runbook: there is no runbooks/{runbook}", one.place))
            .collect();
        if lost.is_empty() { Ok(found) } else { Err(lost) }
    }

    /// Maintenance windows beside the rules: none ship, and the folder need not be there.
    fn maintenance(&self) -> Result<Vec<Maintenance>, Vec<String>> {
        let Origin::Folder(folder) = self else { return Ok(Vec::new()) };
        let folder = folder.join("maintenance");
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for (file, text) in texts(&folder, "toml")? {
            match Maintenance::parse(&file, &text) {
                Ok(one) => found.push(one),
                Err(wrong) => problems.extend(wrong.iter().map(Problem::to_string)),
            }
        }
        if problems.is_empty() { Ok(found) } else { Err(problems) }
    }

    /// Changes when a file of the folder does; the same for ever for a set in the binary.
    pub fn version(&self) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
        let Origin::Folder(folder) = self else { return Vec::new() };
        let mut files: Vec<_> = [folder.clone(), folder.join("runbooks"), folder.join("maintenance")]
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                about.is_file().then(|| (entry.path(), about.modified().ok(), about.len()))
            })
            .collect();
        files.sort();
        files
    }
}

/// The files of a folder with an ending, by name: (path as shown in messages, text).
pub fn texts(folder: &Path, ending: &str) -> Result<Vec<(String, String)>, Vec<String>> {
    let unreadable =
        |path: &Path, error: std::io::Error| vec![format!("{}: cannot be read: {error}.", path.display())];
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.extension().is_some_and(|found| found == ending) && path.is_file() {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}
