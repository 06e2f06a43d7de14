//! Names as they may be shown: one visible line that reads the way it is written.
//!
//! A name stands in rows, links, subjects and the text of mails. A line end in it would forge a line of a mail, a
//! bidirectional control would make it read as another name, and one of nothing but these would be a row that
//! nobody can see.

use std::borrow::Cow;

use crate::signals::telemetry::Value;
use crate::signals::vocabulary::Attr;

/// An attribute's value; one that names something has nothing hidden in it. Free texts keep their lines.
pub fn attribute<'a>(key: &str, value: Value<'a>) -> Value<'a> {
    under(Attr::from_wire(key), value)
}

/// The same where it is known which name of the vocabulary the key is.
pub fn under<'a>(attr: Option<(Attr, bool)>, value: Value<'a>) -> Value<'a> {
    let is_name = !matches!(attr, None | Some((Attr::ExceptionMessage | Attr::Payload, _)));
    match value {
        Value::Str(raw) if is_name => Value::Str(clean(raw)),
        Value::Json(raw) if is_name => Value::Json(clean(raw)),
        other => other,
    }
}

/// The text without what is hidden, each such stretch a space, and without space around it.
pub fn clean(text: Cow<'_, str>) -> Cow<'_, str> {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~');
    let ends_plain =
        |text: &str| text.bytes().next().is_none_or(plain) && text.bytes().next_back().is_none_or(plain);
    // Nearly every name is plain ASCII: one pass over its bytes.
    if ends_plain(&text) && text.bytes().all(|byte| plain(byte) || byte == b' ') {
        return text;
    }
    if text.trim().len() == text.len() && !text.chars().any(is_hidden) {
        return text;
    }
    let words = text.split(|c: char| is_hidden(c)).map(str::trim).filter(|word| !word.is_empty());
    Cow::Owned(words.collect::<Vec<_>>().join(" "))
}

/// Controls, line ends, bidirectional controls, and characters that show nothing.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_stays_in_a_name() {
        for (given, shown) in [
            ("shop", "shop"),
            ("größe 東京", "größe 東京"),
            ("a\r\nBcc: x\0", "a Bcc: x"),
            ("\u{202e}live", "live"),
            ("ev\u{202e}il\u{2028}b", "ev il b"),
            (" \u{3164}\u{200b}\t", ""),
            ("  padded  ", "padded"),
            ("", ""),
        ] {
            assert_eq!(clean(Cow::Borrowed(given)), shown, "{given:?}");
        }
        assert!(matches!(clean(Cow::Borrowed("GET /v1/charges/{id}")), Cow::Borrowed(_)));
    }

    #[test]
    fn free_texts_keep_their_lines() {
        let kept = |key| attribute(key, Value::Str("a\nb".into())).text().into_owned();
        assert_eq!(kept("integration.name"), "a b");
        assert_eq!(kept("deployment.environment"), "a b", "an old name too");
        assert_eq!(kept("exception.message"), "a\nb");
        assert_eq!(kept("exception.stacktrace"), "a\nb");
    }
}
