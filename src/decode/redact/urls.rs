//! Secrets in addresses: user and password before the host, and addresses that are a secret as a whole.

use super::kind::Kind;
use super::scan::Finding;

/// Longest part of an address before its path that is looked at.
const AUTHORITY: usize = 2048;

/// Whoever knows such an address may post to it: what follows is the secret.
const CAPABILITIES: [&[u8]; 9] = [
    b"hooks.slack.com/services/",
    b"hooks.slack.com/workflows/",
    b"hooks.slack.com/triggers/",
    b"discord.com/api/webhooks/",
    b"discordapp.com/api/webhooks/",
    b"hooks.zapier.com/hooks/catch/",
    b"outlook.office.com/webhook/",
    b"events.pagerduty.com/integration/",
    b"chat.googleapis.com/v1/spaces/",
];

/// The secret of the address whose `:` stands at `colon`.
pub fn find(text: &[u8], colon: usize) -> Option<Finding> {
    let start = colon + 3;
    let rest = text.get(colon..)?.strip_prefix(b"://")?;
    let ends = |byte: &u8| {
        matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`')
            || byte.is_ascii_whitespace()
    };
    let length = rest.iter().take(AUTHORITY).position(ends).unwrap_or(rest.len().min(AUTHORITY));
    let authority = rest.get(..length)?;
    if let Some(at) = authority.iter().rposition(|byte| *byte == b'@')
        && is_secret(authority.get(..at)?)
    {
        return Some(Finding::new(Kind::Url, start, at));
    }
    let kept = capability(rest, authority)?;
    let tail = rest.get(kept..)?;
    let taken =
        tail.iter().position(|byte| ends(byte) && *byte != b'/' && *byte != b'?').unwrap_or(tail.len());
    (!tail.starts_with(super::MARK.as_bytes()) && taken > 0)
        .then(|| Finding::new(Kind::Url, start + kept, taken))
}

/// A password, or a token in its place. A user alone is a name.
fn is_secret(user: &[u8]) -> bool {
    let has_password = user.iter().position(|byte| *byte == b':').is_some_and(|at| at + 1 < user.len());
    (has_password || (user.len() >= 16 && user.iter().any(u8::is_ascii_digit)))
        && !user.starts_with(super::MARK.as_bytes())
}

/// How much of such an address is kept: host and kind.
fn capability(rest: &[u8], authority: &[u8]) -> Option<usize> {
    if let Some(known) = CAPABILITIES.iter().find(|known| rest.starts_with(known)) {
        return Some(known.len());
    }
    let is_one = (authority.starts_with(b"hook.") && authority.ends_with(b".make.com"))
        || (authority.starts_with(b"hook.") && authority.ends_with(b".integromat.com"))
        || (authority.ends_with(b".webhook.office.com"));
    (is_one && rest.get(authority.len()) == Some(&b'/')).then_some(authority.len() + 1)
}
