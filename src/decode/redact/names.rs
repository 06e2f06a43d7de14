//! What a name says of its value: of an attribute, a parameter, a member of JSON, a header, an XML element.
//!
//! A name is read as words (`x-Api-Key`, `apiKey` and `API_KEY` are all "api key"), so that `token` is a secret and
//! `author`, `tokenizer` or `token_type` are none. Sentry's default list
//! (getsentry/sentry-python, `sentry_sdk/scrubber.py`, `DEFAULT_DENYLIST`) is the floor: a test holds every name of it.

use std::collections::HashSet;

use super::Secrecy;
use crate::signals::vocabulary::Attr;

/// Words that hide numbers too, wherever they stand in a word.
const PLAIN_WITHIN: [&str; 5] = ["password", "passwd", "passphrase", "passcode", "clientsecret"];
/// Words that hide numbers too, at a word's end.
const PLAIN_ENDS: [&str; 3] = ["secret", "secrets", "pwd"];
/// Whole words that hide numbers too.
const PLAIN_WORDS: [&str; 3] = ["otp", "cvv", "cvc"];
/// Words that hide texts, at a word's end.
const SECRET_ENDS: [&str; 13] = [
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "accountkey",
    "sessionid",
    "authorization",
    "cookie",
    "connectionstring",
];
/// Whole words that hide texts.
const SECRET_WORDS: [&str; 9] =
    ["cookies", "jwt", "bearer", "hapikey", "apikeys", "phpsessid", "csrf", "xsrf", "creds"];
/// Whole words that hide texts where they stand last: `integration.credential.x` is no secret.
const SECRET_LAST: [&str; 6] = ["credential", "credentials", "signature", "hmac", "auth", "sig"];
/// Two words that are a secret together: both lists are closed, so any of one before any of the other.
const BEFORE_KEY: [&str; 16] = [
    "api",
    "access",
    "private",
    "secret",
    "signing",
    "encryption",
    "master",
    "account",
    "shared",
    "subscription",
    "license",
    "session",
    "auth",
    "ssh",
    "deploy",
    "hmac",
];
const PAIRS: [(&str, &str); 15] = [
    ("session", "id"),
    ("secret", "id"),
    ("connection", "string"),
    ("client", "assertion"),
    ("saml", "response"),
    ("saml", "assertion"),
    ("code", "verifier"),
    ("auth", "code"),
    ("access", "tokens"),
    ("refresh", "tokens"),
    ("auth", "tokens"),
    ("api", "tokens"),
    ("verification", "code"),
    ("security", "code"),
    ("remember", "me"),
];
/// Whole names, behind the last dot: too short or too common to be looked for as words.
const WHOLE: [&str; 11] = [
    "pass",
    "session",
    "_session",
    "user_session",
    "aiohttp_session",
    "symfony",
    "ip_address",
    "remote_addr",
    "x_forwarded_for",
    "x_real_ip",
    "pan",
];
/// Whole names whose numbers are hidden too.
const WHOLE_PLAIN: [&str; 3] = ["pin", "card_number", "cardnumber"];
/// Last words that tell about a secret and do not hold it: `token_type`, `password_file`, `cookie.count`.
const TELLING: [&str; 66] = [
    "type",
    "kind",
    "id",
    "ids",
    "name",
    "names",
    "count",
    "counts",
    "limit",
    "length",
    "size",
    "max",
    "min",
    "total",
    "used",
    "usage",
    "remaining",
    "left",
    "expires",
    "expiry",
    "expired",
    "expiration",
    "at",
    "in",
    "ttl",
    "age",
    "date",
    "time",
    "issued",
    "created",
    "updated",
    "rotated",
    "url",
    "uri",
    "endpoint",
    "path",
    "file",
    "host",
    "status",
    "state",
    "valid",
    "invalid",
    "present",
    "missing",
    "required",
    "enabled",
    "disabled",
    "policy",
    "version",
    "algorithm",
    "alg",
    "provider",
    "source",
    "issuer",
    "scope",
    "scopes",
    "owner",
    "method",
    "error",
    "errors",
    "reason",
    "result",
    "attempts",
    "fingerprint",
    "domain",
    "format",
];
/// Names of OpenTelemetry that look like a secret and are an id that traces are joined by.
const NO_SECRET: [&str; 2] = ["session.id", "session.previous_id"];

/// What the operator adds.
#[derive(Debug, Default)]
pub struct Names {
    more: Vec<Vec<String>>,
    leave: HashSet<String>,
}

impl Names {
    /// More words that make a value a secret, and names whose values are left alone.
    pub fn new(more: &[String], leave: &[String]) -> Names {
        let words = |name: &String| words(name).map(str::to_ascii_lowercase).collect::<Vec<_>>();
        Names {
            more: more.iter().map(words).filter(|words| !words.is_empty()).collect(),
            leave: leave.iter().map(|name| name.to_ascii_lowercase()).collect(),
        }
    }

    /// What a name says of its value. Names of the vocabulary are never secret as a whole.
    pub fn secrecy(&self, name: &str) -> Secrecy {
        if !self.leave.is_empty() && self.leave.contains(&name.to_ascii_lowercase()) {
            return Secrecy::Left;
        }
        match Attr::from_wire(name) {
            // Whom to ask when it breaks: addresses of people and teams are what these are for.
            Some((Attr::OwnerName | Attr::CredentialOwnerName, _)) => return Secrecy::Person,
            Some(_) => return Secrecy::Open,
            None => {}
        }
        if self.more.iter().any(|wanted| has_words(name, wanted)) {
            return Secrecy::Plain;
        }
        by_words(name)
    }
}

fn has_words(name: &str, wanted: &[String]) -> bool {
    let words: Vec<&str> = words(name).collect();
    words
        .windows(wanted.len())
        .any(|some| some.iter().zip(wanted).all(|(word, wanted)| word.eq_ignore_ascii_case(wanted)))
}

/// What one word says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    /// It is a secret if nothing follows.
    IfLast,
    Secret,
    Plain,
}

fn by_words(name: &str) -> Secrecy {
    let (mut found, mut before, mut telling) = (Said::Nothing, "", false);
    for word in words(name) {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        // A number alone says nothing, nor does a way to hash: `signature-256`, `hmac_sha256`.
        if word.is_empty() || one_of(&["sha", "md"], word) {
            continue;
        }
        if found == Said::IfLast {
            found = Said::Nothing;
        }
        match of_word(before, word) {
            // Looked up only where there is something to tell of: the list is long.
            Said::Nothing => telling = found != Said::Nothing && one_of(&TELLING, word),
            Said::IfLast if found != Said::Nothing => telling = false,
            said => (found, telling) = (if found == Said::Plain { found } else { said }, false),
        }
        before = word;
    }
    match found {
        Said::Nothing => whole(name),
        _ if telling || one_of(&NO_SECRET, name) => Secrecy::Open,
        Said::Plain => Secrecy::Plain,
        Said::IfLast | Said::Secret => Secrecy::Secret,
    }
}

fn of_word(before: &str, word: &str) -> Said {
    let within =
        (contains(word, "pass") || word.len() >= 12) && PLAIN_WITHIN.iter().any(|part| contains(word, part));
    if within || PLAIN_ENDS.iter().any(|end| ends_with(word, end)) || one_of(&PLAIN_WORDS, word) {
        return Said::Plain;
    }
    let pair = |(first, second): &(&str, &str)| {
        word.eq_ignore_ascii_case(second) && before.eq_ignore_ascii_case(first)
    };
    let is_key = (word.eq_ignore_ascii_case("key") || word.eq_ignore_ascii_case("keys"))
        && one_of(&BEFORE_KEY, before);
    if SECRET_ENDS.iter().any(|end| ends_with(word, end))
        || one_of(&SECRET_WORDS, word)
        || is_key
        || (!before.is_empty() && PAIRS.iter().any(pair))
    {
        return Said::Secret;
    }
    if one_of(&SECRET_LAST, word) { Said::IfLast } else { Said::Nothing }
}

fn whole(name: &str) -> Secrecy {
    let last = name.rsplit('.').next().unwrap_or(name);
    let same = |known: &&str| {
        known.len() == last.len()
            && known
                .bytes()
                .zip(last.bytes())
                .all(|(known, byte)| known == byte.to_ascii_lowercase() || (known == b'_' && byte == b'-'))
    };
    if WHOLE_PLAIN.iter().any(same) {
        return Secrecy::Plain;
    }
    let is_secret = WHOLE.iter().any(same) || name.eq_ignore_ascii_case("connect.sid");
    if is_secret { Secrecy::Secret } else { Secrecy::Open }
}

fn one_of(list: &[&str], word: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn ends_with(word: &str, end: &str) -> bool {
    // The last letter tells nearly all of them apart.
    let last = word.bytes().next_back().map(|byte| byte.to_ascii_lowercase());
    if last != end.bytes().next_back() {
        return false;
    }
    let at = word.len().wrapping_sub(end.len());
    word.get(at..).is_some_and(|found| found.eq_ignore_ascii_case(end))
}

fn contains(word: &str, part: &str) -> bool {
    word.len() >= part.len()
        && word.as_bytes().windows(part.len()).any(|found| found.eq_ignore_ascii_case(part.as_bytes()))
}

/// The words of a name: runs of letters and digits, parted also where a capital begins one.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let start = rest.bytes().position(|byte| byte.is_ascii_alphanumeric())?;
        let bytes = rest.as_bytes().get(start..)?;
        let end = (1..bytes.len()).find(|at| ends_word(bytes, *at)).unwrap_or(bytes.len());
        let word = rest.get(start..start + end)?;
        rest = rest.get(start + end..)?;
        Some(word)
    })
}

/// Whether a word that began before `at` ends there: `apiKey`, `APIKey`, `api_key`.
fn ends_word(bytes: &[u8], at: usize) -> bool {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(b'.');
    let (before, here, next) = (byte(at - 1), byte(at), byte(at + 1));
    !here.is_ascii_alphanumeric()
        || (here.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()))
        || (here.is_ascii_uppercase() && before.is_ascii_uppercase() && next.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Secrecy {
        Names::default().secrecy(name)
    }

    #[test]
    fn a_name_is_read_as_words() {
        let split = |name| words(name).collect::<Vec<_>>().join(" ");
        assert_eq!(split("http.request.header.x-Api-Key"), "http request header x Api Key");
        assert_eq!(split("APIKey"), "API Key");
        assert_eq!(split("accessToken2Value"), "access Token2 Value");
        assert_eq!(split("größe_x"), "gr e x");
        assert_eq!(split("--"), "");
    }

    #[test]
    fn every_name_of_sentrys_list_is_secret() {
        for name in [
            "password",
            "passwd",
            "secret",
            "api_key",
            "apikey",
            "auth",
            "credentials",
            "mysql_pwd",
            "privatekey",
            "private_key",
            "token",
            "ip_address",
            "session",
            "csrftoken",
            "sessionid",
            "remote_addr",
            "x_csrftoken",
            "x_forwarded_for",
            "set_cookie",
            "cookie",
            "authorization",
            "x_api_key",
            "x_real_ip",
            "aiohttp_session",
            "connect.sid",
            "csrf_token",
            "csrf",
            "_csrf",
            "_csrf_token",
            "PHPSESSID",
            "_session",
            "symfony",
            "user_session",
            "_xsrf",
            "XSRF-TOKEN",
        ] {
            assert_ne!(of(name), Secrecy::Open, "{name}");
        }
    }

    #[test]
    fn other_names_of_secrets() {
        for name in [
            "db.password",
            "PGPASSWORD",
            "user.newPassword",
            "clientSecret",
            "AWS_SECRET_ACCESS_KEY",
            "X-Auth-Token",
            "http.request.header.proxy-authorization",
            "http.response.header.set-cookie",
            "stripe-signature",
            "x-hub-signature-256",
            "X-Shopify-Hmac-Sha256",
            "secretKeyBase",
            "APIKey",
            "AccountKey",
            "hapikey",
            "SharedAccessKey",
            "ConnectionString",
            "refresh_token",
            "id_token",
            "refresh_tokens",
            "vault.secret_id",
            "http.request.header.x-forwarded-for",
            "sig",
            "card_number",
            "token2",
            "passwordHash",
            "cvc",
        ] {
            assert_ne!(of(name), Secrecy::Open, "{name}");
        }
        for plain in ["password", "otp", "client_secret", "pin", "db.pwd", "cvv"] {
            assert_eq!(of(plain), Secrecy::Plain, "{plain}");
        }
    }

    #[test]
    fn names_that_only_look_like_one() {
        for name in [
            "author",
            "authority",
            "oauth.scope",
            "tokenizer",
            "token_type",
            "token_expires_at",
            "expires_in",
            "gen_ai.usage.input_tokens",
            "max_tokens",
            "password_file",
            "k8s.secret.name",
            "api_key_id",
            "session.id",
            "cookie.count",
            "access_key_id",
            "key",
            "code",
            "state",
            "page_token_count",
            "idempotency_key",
            "primary_key",
            "foreign_key",
            "routing_key",
            "partition.key",
            "sort_key",
            "compass",
            "passed",
            "bypass",
            "secretary",
            "signature_method",
            "order.pin_code",
            "url.full",
            "trace_id",
            "messaging.message.id",
            "public_key",
            "keyword",
            "checkout.session.id_hash_kind",
            "customer.id",
            "integration.credential.custom",
        ] {
            assert_eq!(of(name), Secrecy::Open, "{name}");
        }
        for attr in Attr::ALL {
            assert!(matches!(of(attr.name()), Secrecy::Open | Secrecy::Person), "{}", attr.name());
        }
    }

    #[test]
    fn the_operator_adds_and_leaves() {
        let names = Names::new(&["tax-id".into(), "Steuer".into()], &["Order.Token".into()]);
        assert_eq!(names.secrecy("customer.taxId"), Secrecy::Plain);
        assert_eq!(names.secrecy("STEUER_NUMMER"), Secrecy::Plain);
        assert_eq!(names.secrecy("tax.rate"), Secrecy::Open);
        assert_eq!(names.secrecy("syntax_id"), Secrecy::Open);
        assert_eq!(names.secrecy("order.token"), Secrecy::Left);
        assert_eq!(names.secrecy("x.order.token"), Secrecy::Secret);
    }
}
