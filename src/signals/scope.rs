//! For whom a sender may speak: patterns of an integration and of an environment.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::observation::IntegrationKey;

/// Longest pattern, in bytes: as long as a name may be.
const LONGEST: usize = 120;

/// Integrations that a sentence names.
const SHOWN: usize = 3;

/// A name, or several: `*` is any run of letters, none too; everything else stands for itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// Every name.
    pub fn any() -> Pattern {
        Pattern("*".to_owned())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The one name it stands for; none where it has a `*`.
    pub fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&*self.0)
    }

    /// Whether it stands for every name.
    pub fn is_any(&self) -> bool {
        self.0.bytes().all(|letter| letter == b'*')
    }

    /// Whether it stands for this name.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // The leftmost place for each part leaves the most for those behind it.
        let mut rest = rest;
        for part in parts {
            let Some((_, behind)) = rest.split_once(part) else { return false };
            rest = behind;
        }
        rest.ends_with(last)
    }
}

impl Display for Pattern {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        let visible = text.trim() == text && !text.chars().any(char::is_control);
        if text.is_empty() || text.len() > LONGEST || !visible {
            return Err(format!(
                "A pattern is a name of 1 to {LONGEST} bytes on one line, in which * stands for any letters: shop, shop-*, *."
            ));
        }
        Ok(Pattern(text.to_owned()))
    }
}

/// For whom the holder of a key may speak. It never changes, so that a request means the same when it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The key's name, for sentences.
    pub key: String,
    /// Which integrations.
    pub integration: Pattern,
    /// Which environments.
    pub environment: Pattern,
}

impl Scope {
    /// Whether all is allowed: then nobody needs to ask.
    pub fn is_any(&self) -> bool {
        self.integration.is_any() && self.environment.is_any()
    }

    /// Why so many records were not taken: whose they are, and whose the holder may send.
    pub fn refusal(&self, records: u64, denied: &[IntegrationKey]) -> String {
        let Scope { key, integration, environment } = self;
        let one = |key: &IntegrationKey| format!("{} in {}", key.name, key.environment);
        let mut whose: Vec<String> = denied.iter().take(SHOWN).map(one).collect();
        if denied.len() > SHOWN {
            whose.push(format!("{} more", denied.len() - SHOWN));
        }
        let (noun, are) = if records == 1 { ("record", "it is") } else { ("records", "they are") };
        format!(
            "{records} {noun} not taken: the key \"{key}\" may send for integration {integration} in environment \
             {environment}, and {are} for {}",
            whose.join(", ")
        )
    }

    /// Whether the holder may speak for this integration.
    pub fn allows(&self, key: &IntegrationKey) -> bool {
        self.integration.matches(&key.name) && self.environment.matches(&key.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(name)
    }

    #[test]
    fn a_star_is_any_run_and_everything_else_is_itself() {
        for (pattern, yes, no) in [
            ("shop", &["shop"][..], &["Shop", "shop ", "shop2", "", "sho"][..]),
            ("*", &["", "shop", "*"], &[]),
            ("shop-*", &["shop-", "shop-eu", "shop-*"], &["shop", "ashop-eu"]),
            ("*-eu", &["-eu", "shop-eu", "-eu-eu"], &["-eu2", "eu"]),
            ("a*b*c", &["abc", "aXbYc", "abbc", "acbc", "abcbc"], &["ac", "ab", "bc", "acb", "aXcYb"]),
            ("a**c", &["ac", "abc"], &["a", "c"]),
            ("*a*", &["a", "bab"], &["b", ""]),
            ("aa*aa", &["aaaa", "aaXaa"], &["aa", "aaa"]),
            ("sh.p", &["sh.p"], &["shop"]),
            ("é*", &["école"], &["ecole"]),
        ] {
            yes.iter().for_each(|name| assert!(matches(pattern, name), "{pattern} is not {name}"));
            no.iter().for_each(|name| assert!(!matches(pattern, name), "{pattern} is {name}"));
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_their_number() {
        let pattern = "a*".repeat(60);
        assert!(!matches(&format!("{}b", &pattern[..118]), &"a".repeat(100_000)));
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for bad in ["", " shop", "shop\n", "a\u{7}b", &"x".repeat(121)] {
            assert!(bad.parse::<Pattern>().is_err_and(|said| said.contains("1 to 120 bytes")), "{bad:?}");
        }
    }

    #[test]
    fn both_patterns_must_match() {
        let scope = |integration: &str, environment: &str| Scope {
            key: "k".into(),
            integration: integration.parse().unwrap(),
            environment: environment.parse().unwrap(),
        };
        let shop = IntegrationKey { environment: "production".into(), name: "shop".into() };
        assert!(scope("shop", "prod*").allows(&shop));
        assert!(!scope("shop", "staging").allows(&shop) && !scope("crm", "*").allows(&shop));
        assert!(scope("*", "**").is_any() && !scope("*", "x*").is_any());
    }
}
