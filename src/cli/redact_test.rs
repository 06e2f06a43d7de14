//! `seamwatch redact-test`: what a sample would become, and what was found where.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::Value as Json;

use super::FilesArgs;
use crate::decode::redact::kind::Kind;
use crate::decode::redact::scan::Finding;
use crate::decode::redact::{MARK, Redactor, Secrecy};
use crate::server::redaction::{read_email_key, redactor};
use crate::world::files::Disk;

/// The sample, and by which configuration.
#[derive(Clone, Debug, Args)]
pub struct RedactTestArgs {
    /// Text, JSON, or the JSON body of an OTLP request; - is the standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub sample: PathBuf,
    /// Which files to read.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Data folder, whose key marks e-mail addresses [default: seamwatch-data].
    #[arg(long, value_name = "DIR", env = "SEAMWATCH_DATA")]
    pub data: Option<PathBuf>,
}

/// Prints the sample as it would be kept, and to standard error what was found where.
pub fn run(args: RedactTestArgs) -> anyhow::Result<ExitCode> {
    let config = args.files.read()?;
    let data = args.data.as_deref().unwrap_or(&config.server.data);
    let key = read_email_key(data, &Disk)?;
    let redactor = redactor(&config.redaction, key)?;
    let sample = Sample::of(&read(&args.sample)?, &redactor);
    println!("{}", sample.clean.trim_end_matches('\n'));
    for line in &sample.found {
        eprintln!("{line}");
    }
    match sample.found.len() {
        0 => eprintln!("Nothing would be taken out."),
        1 => eprintln!("One secret would be taken out."),
        n => eprintln!("{n} secrets would be taken out."),
    }
    if key.is_none() && sample.clean.contains("[email]") {
        eprintln!(
            "There is no key in {} yet: once a server has run there, each address has a mark of its own.",
            data.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).context("The standard input cannot be read")?;
    } else {
        bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a sample becomes, and a line for each that was found. What it was is in no line.
struct Sample {
    clean: String,
    found: Vec<String>,
}

impl Sample {
    fn of(text: &str, redactor: &Redactor) -> Sample {
        let mut walk = Walk { redactor, found: Vec::new() };
        match serde_json::from_str::<Json>(text) {
            Ok(mut tree) if tree.is_object() || tree.is_array() => {
                walk.value(&mut tree, "$");
                Sample { clean: format!("{tree:#}"), found: walk.found }
            }
            _ => {
                let clean = redactor.text(text.into()).into_owned();
                let at = |Finding { from, to, kind }: Finding| {
                    let before = text.get(..from).unwrap_or_default();
                    let line = before.matches('\n').count() + 1;
                    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                    format!("line {line}, column {column}: {}, {} bytes", kind.name(), to - from)
                };
                Sample { clean, found: redactor.find(text).into_iter().map(at).collect() }
            }
        }
    }
}

/// Goes through JSON as decoding goes through a body, and knows where it is.
struct Walk<'r> {
    redactor: &'r Redactor,
    found: Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Json, path: &str) {
        match value {
            Json::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.value(item, &format!("{path}[{at}]"));
                }
            }
            Json::Object(members) => {
                let attribute = members.get("key").and_then(Json::as_str).map(str::to_owned);
                if let (Some(key), Some(value)) =
                    (attribute, members.get_mut("value").filter(|value| value.is_object()))
                {
                    return self.attribute(&key, value, path);
                }
                for (key, member) in members.iter_mut() {
                    let path = format!("{path}.{key}");
                    match self.redactor.secrecy(key) {
                        Secrecy::Left => {}
                        Secrecy::Secret | Secrecy::Plain if self.redactor.hides(key, member) => {
                            *member = MARK.into();
                            self.say(&path, Kind::Key);
                        }
                        _ => self.value(member, &path),
                    }
                }
            }
            leaf => self.leaf(leaf, path),
        }
    }

    /// `{"key": …, "value": {"stringValue": …}}`: an attribute of OTLP.
    fn attribute(&mut self, key: &str, value: &mut Json, path: &str) {
        let path = format!("{path} ({key})");
        let holds = |kind: &str| value.get(kind).is_some();
        let is_number = holds("intValue") || holds("doubleValue");
        match self.redactor.secrecy(key) {
            Secrecy::Left => {}
            Secrecy::Plain if !holds("boolValue") => self.hide(value, &path),
            Secrecy::Secret if !holds("boolValue") && !is_number => self.hide(value, &path),
            _ => self.value(value, &path),
        }
    }

    fn hide(&mut self, value: &mut Json, path: &str) {
        *value = serde_json::json!({ "stringValue": MARK });
        self.say(path, Kind::Key);
    }

    fn leaf(&mut self, leaf: &mut Json, path: &str) {
        let before: Vec<u64> = self.redactor.taken().map(|(_, count)| count).collect();
        self.redactor.tree(leaf);
        let after: Vec<(Kind, u64)> = self.redactor.taken().collect();
        for ((kind, after), before) in after.into_iter().zip(before) {
            (before..after).for_each(|_| self.say(path, kind));
        }
    }

    fn say(&mut self, path: &str, kind: Kind) {
        self.found.push(format!("{path}: {}", kind.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::redact::Settings;

    fn sample(text: &str) -> Sample {
        Sample::of(text, &Redactor::new(Settings::default()))
    }

    #[test]
    fn a_text_says_line_and_column() {
        let sample = sample("first\npay ana@example.com with 4242424242424242\npassword=hunter2");
        assert_eq!(sample.clean, "first\npay [email] with [redacted]\npassword=[redacted]");
        assert_eq!(
            sample.found,
            [
                "line 2, column 5: email, 15 bytes",
                "line 2, column 26: card, 16 bytes",
                "line 3, column 10: key, 7 bytes"
            ]
        );
    }

    #[test]
    fn a_body_says_its_attribute() {
        let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
            "name":"GET /x?token=abc","attributes":[{"key":"db.password","value":{"intValue":"12"}},
            {"key":"gen_ai.token","value":{"intValue":"12"}},{"key":"note","value":{"stringValue":"Bearer abcdefgh12345678"}}]}]}]}]}"#;
        let sample = sample(body);
        let span = "$.resourceSpans[0].scopeSpans[0].spans[0]";
        let wanted = [
            format!("{span}.attributes[0] (db.password): key"),
            format!("{span}.attributes[2] (note).stringValue: scheme"),
            format!("{span}.name: key"),
        ];
        assert_eq!(sample.found, wanted);
        assert!(!sample.clean.contains("abc") && sample.clean.contains("5b8efff798038103d269b633813fc60c"));
    }

    #[test]
    fn json_says_its_path() {
        let sample = sample(
            r#"{"user":{"password":12,"token":12,"mail":"ana@example.com"},"cards":[4242424242424242]}"#,
        );
        assert_eq!(sample.found, ["$.cards[0]: card", "$.user.mail: email", "$.user.password: key"]);
    }
}
