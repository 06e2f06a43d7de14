//! The facts on vendors: those that ship, and over them a folder's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::alert::rule::Problem;
use crate::signals::provider::{Provider, Providers};

mod parse;

/// The files that ship.
pub const SHIPPED: &[(&str, &str)] = &[
    ("github.toml", include_str!("../providers/github.toml")),
    ("google.toml", include_str!("../providers/google.toml")),
    ("hubspot.toml", include_str!("../providers/hubspot.toml")),
    ("klaviyo.toml", include_str!("../providers/klaviyo.toml")),
    ("make.toml", include_str!("../providers/make.toml")),
    ("microsoft.toml", include_str!("../providers/microsoft.toml")),
    ("n8n.toml", include_str!("../providers/n8n.toml")),
    ("quickbooks.toml", include_str!("../providers/quickbooks.toml")),
    ("salesforce.toml", include_str!("../providers/salesforce.toml")),
    ("shopify.toml", include_str!("../providers/shopify.toml")),
    ("slack.toml", include_str!("../providers/slack.toml")),
    ("stripe.toml", include_str!("../providers/stripe.toml")),
    ("xero.toml", include_str!("../providers/xero.toml")),
    ("zapier.toml", include_str!("../providers/zapier.toml")),
];

/// The folder that is given, else `providers` where it exists.
pub fn folder(given: Option<&Path>) -> Option<PathBuf> {
    let by_default = Path::new("providers");
    given.map(Path::to_owned).or_else(|| by_default.is_dir().then(|| by_default.to_owned()))
}

/// The vendors that ship, and over them the files of a folder: one of the same name stands for the shipped one, any
/// other is one more. Problems come back as sentences with file:line.
pub fn load(folder: Option<&Path>) -> Result<Providers, Vec<String>> {
    let own = folder.map_or_else(|| Ok(Vec::new()), read)?;
    let ships = SHIPPED.iter().filter(|(name, _)| own.iter().all(|(other, ..)| other != name));
    // The shipped ones first, so that a mistake is told of the file that a person wrote.
    let files: Vec<(String, String)> = ships
        .map(|(name, text)| (format!("shipped/{name}"), (*text).to_owned()))
        .chain(own.iter().map(|(_, path, text)| (path.clone(), text.clone())))
        .collect();
    of(files.into_iter()).map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

/// The vendors of files: (path as messages say it, text).
pub fn of(files: impl Iterator<Item = (String, String)>) -> Result<Providers, Vec<Problem>> {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    // Host → the file that has it.
    let mut claimed: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in files {
        match parse::parse(&file, &text, &mut claimed) {
            Ok(provider) => all.push(provider),
            Err(found) => problems.extend(found),
        }
    }
    problems.sort();
    all.sort_by(|a: &Provider, b| a.id.cmp(&b.id));
    if problems.is_empty() { Ok(Providers::new(all)) } else { Err(problems) }
}

/// (file name, path, text) of the TOML files in a folder.
fn read(folder: &Path) -> Result<Vec<(String, String, String)>, Vec<String>> {
    let unreadable =
        |path: &Path, error: std::io::Error| vec![format!("{}: cannot be read: {error}.", path.display())];
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|name| name.ends_with(".toml")).filter(|_| path.is_file()) {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            files.push((name.to_owned(), path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
