//! `[redaction]`: what is taken out of telemetry besides what always is, and what is not.

use regex::Regex;
use serde::Deserialize;

use super::values::Problem;

/// `[redaction]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redaction {
    /// Kinds that are not looked for.
    pub off: Vec<Kind>,
    /// Kinds that are looked for though they usually are not.
    pub on: Vec<Kind>,
    /// Names whose values are secrets, besides those that are known; a name is read as words.
    pub keys: Vec<String>,
    /// Names of attributes, parameters and members whose values are left as they are.
    pub leave: Vec<String>,
    /// Regular expressions: the first group of a match is taken out, or all of it.
    pub patterns: Vec<String>,
}

/// A kind of what is taken out, as `decode::redact::kind` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Key,
    Scheme,
    Maker,
    Jwt,
    Pem,
    Url,
    Card,
    Iban,
    Email,
    Phone,
    Pattern,
}

/// Most patterns: each costs a pass over every text.
const MOST: usize = 50;

impl Redaction {
    /// The patterns, read.
    pub fn regexes(&self) -> Result<Vec<Regex>, Problem> {
        let read = |pattern: &String| {
            Regex::new(pattern).map_err(|error| {
                let why = error.to_string();
                let why =
                    why.lines().last().unwrap_or_default().trim_start_matches("error: ").trim().to_owned();
                let problem = format!("[redaction] patterns: \"{pattern}\" is no regular expression: {why}.");
                (pattern.clone(), problem)
            })
        };
        self.patterns.iter().map(read).collect()
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        if let Some(kind) = self.on.iter().find(|kind| self.off.contains(kind)) {
            let problem = format!("[redaction] has {kind:?} both on and off; leave it in one of the two.");
            return Err(("[redaction]".into(), problem));
        }
        for (key, list) in [("keys", &self.keys), ("leave", &self.leave)] {
            if let Some(name) = list.iter().find(|name| !name.contains(|c: char| c.is_ascii_alphanumeric())) {
                let problem =
                    format!("[redaction] {key}: \"{name}\" is no name; write one such as \"customer_ref\".");
                return Err((format!("{key} = "), problem));
            }
        }
        if self.patterns.len() > MOST {
            let problem = format!("[redaction] has {} patterns; {MOST} are the most.", self.patterns.len());
            return Err(("patterns".into(), problem));
        }
        for regex in self.regexes()? {
            if regex.is_match("") {
                let pattern = regex.as_str().to_owned();
                let problem = format!(
                    "[redaction] patterns: \"{pattern}\" matches where nothing is; make it match what is a secret."
                );
                return Err((pattern, problem));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn each_mistake_is_named_with_its_line() {
        for (text, wanted) in [
            ("off = [\"phones\"]", "c.toml:2: unknown variant `phones`"),
            ("of = []", "c.toml:2: unknown field `of`"),
            (
                "\npatterns = ['a', '(']",
                "c.toml:3: [redaction] patterns: \"(\" is no regular expression: unclosed group",
            ),
            ("patterns = ['x*']", "c.toml:2: [redaction] patterns: \"x*\" matches where nothing is"),
            ("keys = [\"--\"]", "c.toml:2: [redaction] keys: \"--\" is no name"),
            ("on = [\"card\"]\noff = [\"card\"]", "c.toml:1: [redaction] has Card both on and off"),
        ] {
            match Config::parse("c.toml", &format!("[redaction]\n{text}\n")) {
                Err(problem) => assert!(problem.starts_with(wanted), "{problem}"),
                Ok(_) => panic!("taken: {text}"),
            }
        }
        let text = "[redaction]\non = [\"phone\"]\noff = [\"iban\"]\nkeys = [\"tax id\"]\npatterns = ['CUST-\\d+']\n";
        let config = Config::parse("c.toml", text).unwrap();
        assert_eq!(config.redaction.regexes().unwrap().len(), 1);
    }
}
