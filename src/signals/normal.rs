//! A message without what differs from one failure to the next: numbers, ids, times, addresses, what stands in quotes.
//!
//! What it gives is part of an error group's fingerprint, which is kept for 400 days: a message that was normalised
//! once must come out the same in every version.

/// Bytes of a message that are read: the rest tells failures apart no better.
const READ: usize = 1024;
/// Longest result, in bytes.
pub const LONGEST: usize = 300;

/// The message with placeholders, on one line, at most [`LONGEST`] bytes.
pub fn normalised(text: &str) -> String {
    let mut rest = cut(text, READ);
    let mut out = String::with_capacity(rest.len().min(LONGEST) + 8);
    while let Some(first) = rest.chars().next() {
        if out.len() >= LONGEST {
            break;
        }
        let taken = if first.is_whitespace() || first.is_control() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
            first.len_utf8()
        } else if let Some((placeholder, length)) = special(rest, &out) {
            out.push_str(placeholder);
            length
        } else if first.is_ascii_alphanumeric() {
            word(rest, &mut out)
        } else if first.is_numeric() {
            out.push_str("{n}");
            length_of(rest, char::is_numeric)
        } else {
            out.push(first);
            first.len_utf8()
        };
        rest = rest.get(taken.max(1)..).unwrap_or("");
    }
    out.truncate(cut(&out, LONGEST).trim_end().len());
    out
}

/// The start of a text, in at most so many bytes, whole characters.
pub fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

/// What is known by its shape as a whole: its placeholder and its length.
fn special(rest: &str, before: &str) -> Option<(&'static str, usize)> {
    // After a letter it is an apostrophe, or a string that ends.
    let opens = !before.ends_with(|last: char| last.is_alphanumeric() || last == '}');
    if let Some(length) = quoted(rest).filter(|_| opens) {
        return Some(("{text}", length));
    }
    // The mark of an address that was taken out.
    if let Some(length) = rest.strip_prefix("[email ").and_then(|mark| mark.find(']')).filter(|at| *at < 40) {
        return Some(("{email}", "[email ".len() + length + 1));
    }
    if !opens {
        return None;
    }
    let token = rest.get(..length_of(rest, |c| c.is_ascii_alphanumeric() || "_-.:@+".contains(c)))?;
    let token = token.trim_end_matches(['.', ':', '-', '+']);
    let bytes = token.as_bytes();
    let shape = |pattern: &str| {
        bytes.len() >= pattern.len()
            && bytes.iter().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'f' => byte.is_ascii_hexdigit(),
                literal => *byte == literal,
            })
    };
    if token.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')) {
        return Some(("{email}", token.len()));
    }
    if shape("0000-00-00") && bytes.get(10).is_none_or(|next| matches!(next, b'T' | b't')) {
        return Some(("{date}", token.len()));
    }
    if shape("00:00:00") {
        return Some(("{time}", token.len()));
    }
    let uuid = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    if shape(uuid) && bytes.get(uuid.len()).is_none_or(|next| !next.is_ascii_alphanumeric()) {
        return Some(("{uuid}", uuid.len()));
    }
    None
}

/// The length of a text in quotes that begins here, quotes included.
fn quoted(rest: &str) -> Option<usize> {
    let open = rest.chars().next()?;
    let close = match open {
        '"' | '\'' | '`' => open,
        '“' => '”',
        '‘' => '’',
        '«' => '»',
        _ => return None,
    };
    let inside = rest.get(open.len_utf8()..)?;
    let ends = |at: &usize| {
        let after = inside.get(at + close.len_utf8()..).and_then(|after| after.chars().next());
        *at > 0 && after.is_none_or(|next| !next.is_alphanumeric() && next != '{')
    };
    let end = inside.match_indices(close).map(|(at, _)| at).find(ends)?;
    Some(open.len_utf8() + end + close.len_utf8())
}

/// Writes a word, or what stands for it, and gives its length.
fn word(rest: &str, out: &mut String) -> usize {
    let length = length_of(rest, |c| c.is_ascii_alphanumeric() || c == '_');
    let word = rest.get(..length).unwrap_or("");
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == length {
        out.push_str("{n}");
        return number(rest, length);
    }
    let hex = word.strip_prefix("0x").unwrap_or(word);
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && digits > 0 && (hex.len() >= 8 || hex.len() < word.len()) {
        out.push_str("{hex}");
    } else if length >= 12 && digits >= 2 {
        out.push_str("{id}");
    } else {
        let mut in_number = false;
        for letter in word.chars() {
            let is_digit = letter.is_ascii_digit();
            if is_digit && !in_number {
                out.push_str("{n}");
            } else if !is_digit {
                out.push(letter);
            }
            in_number = is_digit;
        }
    }
    length
}

/// The length of a number that begins with so many digits: `12`, `12.50`, `1,234,567`.
fn number(rest: &str, digits: usize) -> usize {
    let bytes = rest.as_bytes();
    let mut end = digits;
    while matches!(bytes.get(end), Some(b'.' | b',')) && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1 + length_of(rest.get(end + 1..).unwrap_or(""), |c| c.is_ascii_digit());
    }
    end
}

fn length_of(text: &str, part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !part(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_is_left_out_and_what_says_something_stays() {
        for (text, wanted) in [
            ("", ""),
            ("Connection refused", "Connection refused"),
            ("Timeout after 12.5 s (attempt 3 of 1,000)", "Timeout after {n} s (attempt {n} of {n})"),
            ("Invoice INV-10382 not found", "Invoice INV-{n} not found"),
            ("user42 has no contact 'Ana O'Neill'", "user{n} has no contact {text}"),
            ("can't find \"vat_id\" in answer", "can't find {text} in answer"),
            ("order 3f2a9c1e-77aa-4b0c-9d1e-0123456789ab: gone", "order {uuid}: gone"),
            ("No such charge: ch_3MkT2eLkdIwHu7ix", "No such charge: {id}"),
            ("bad digest 9f86d081884c7d65, page 0x7ffe", "bad digest {hex}, page {hex}"),
            ("since 2026-11-24T09:00:00.123Z until 2026-11-25", "since {date} until {date}"),
            ("at 2026-11-24 09:00:01.5, then", "at {date} {time}, then"),
            ("to ana.b+x@example.com, [email 3f2a91bc0d]", "to {email}, {email}"),
            ("10.0.0.1:8080 refused\r\n\tby peer\0", "{n}:{n} refused by peer"),
            ("password=[redacted] for [redacted]", "password=[redacted] for [redacted]"),
            ("sandwich is a decade old", "sandwich is a decade old"),
            ("Größe ٣٤ fehlt", "Größe {n} fehlt"),
        ] {
            assert_eq!(normalised(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_megabyte_is_as_quick_as_a_kilobyte_and_bounded() {
        let said = normalised(&"é".repeat(500_000));
        assert_eq!((said.len(), said.chars().count()), (LONGEST, LONGEST / 2));
    }

    proptest! {
        #[test]
        fn anything_becomes_one_short_visible_line(text in any::<String>()) {
            let said = normalised(&text);
            prop_assert!(said.len() <= LONGEST);
            prop_assert!(!said.chars().any(|letter| letter.is_control() || letter.is_numeric()), "{said:?}");
            prop_assert_eq!(said.trim(), &said);
        }

        #[test]
        fn failures_that_differ_in_values_alone_read_the_same(
            a in (0u64..=999_999_999, "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[a-z ]{1,20}", 1u32..28),
            b in (0u64..=999_999_999, "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[a-z ]{1,20}", 1u32..28),
        ) {
            let said = |(n, id, name, day): (u64, String, String, u32)| {
                normalised(&format!("row {n} of {id} (\"{name}\") on 2026-11-{day:02}T10:00:00Z failed"))
            };
            prop_assert_eq!(said(a), said(b));
        }

        #[test]
        fn what_is_normalised_stays_as_it_is(text in "[a-zA-Z0-9 .,:'\"(){}_@-]{0,80}") {
            let once = normalised(&text);
            prop_assert_eq!(normalised(&once), once);
        }
    }
}
