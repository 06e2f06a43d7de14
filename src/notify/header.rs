//! Text that may stand in a mail's header: what telemetry says can never end a line or start another.

/// Longest header text, in characters.
const LONGEST: usize = 200;

/// The text without control characters, line ends, bidirectional controls and separators; at most 200 characters.
pub fn safe(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let one_line: String = text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    one_line.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

/// At most `longest` characters, with an ellipsis where something was left out.
pub fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_header() {
        assert_eq!(safe("a\r\nBcc: x@y.example\u{2028}\u{202e}b\0"), "a Bcc: x@y.example b");
        assert_eq!(safe(&"é".repeat(500)).chars().count(), 200);
        assert_eq!(shortened("abcdef", 4), "abc…");
    }
}
