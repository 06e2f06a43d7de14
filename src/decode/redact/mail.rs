//! E-mail addresses, and what stands in their place.

/// Longest part before the `@`, and longest domain.
const LOCAL: usize = 64;
const DOMAIN: usize = 253;

/// What looks like a top-level domain and is the end of a file's name: `icon@2x.png`.
const FILES: [&[u8]; 10] = [b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"js", b"ts", b"css", b"json"];

/// From where to where the address goes whose `@` (or `%40`) stands from `at` to `behind`. Nothing before `floor`.
pub fn find(text: &[u8], floor: usize, at: usize, behind: usize) -> Option<(usize, usize)> {
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-'".contains(byte) || !byte.is_ascii();
    let before = text.get(floor..at)?;
    let local = before.iter().rev().take(LOCAL).take_while(|byte| is_local(byte)).count();
    let mut from = at - local;
    // Quotes and dots belong to an address only within it, and a cut character not at all.
    while let Some(byte) = text.get(from..at)?.first()
        && (matches!(byte, b'.' | b'\'' | b'-' | b'%') || is_inside_of_character(*byte))
    {
        from += 1;
    }
    let name = text.get(from..at)?;
    // What stands before the host of an address is the user there, which `://` looks at; and everybody is `git`.
    let in_url = text.get(..from)?.ends_with(b"//");
    if name.is_empty() || in_url || name == b"git" {
        return None;
    }
    let rest = text.get(behind..)?;
    let is_domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let mut length = rest.iter().take(DOMAIN).take_while(|byte| is_domain(byte)).count();
    while matches!(rest.get(..length)?.last(), Some(b'.' | b'-')) {
        length -= 1;
    }
    let mut labels = rest.get(..length)?.rsplit(|byte| *byte == b'.');
    // `ana@example.com-2` goes on behind the address.
    let last = labels.next()?;
    let top = last.get(..last.iter().position(|byte| *byte == b'-').unwrap_or(last.len()))?;
    let length = length - (last.len() - top.len());
    let is_top = top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic) && !FILES.contains(&top);
    let mut labels = labels.peekable();
    let whole = labels.peek().is_some() && labels.all(|label| !label.is_empty());
    (is_top && whole).then_some((from, behind + length))
}

fn is_inside_of_character(byte: u8) -> bool {
    (0x80..0xc0).contains(&byte)
}

/// What stands in the place of an address. With a key the same address is the same mark in every event, and without
/// the key nobody can try addresses until one fits.
pub fn mark(key: Option<&ring::hmac::Key>, address: &str) -> String {
    let Some(key) = key else { return "[email]".to_owned() };
    let address = address.replace("%40", "@").to_lowercase();
    let tag = ring::hmac::sign(key, address.as_bytes());
    let digits: String = tag.as_ref().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("[email {digits}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.find('@')?;
        let (from, to) = find(text.as_bytes(), 0, at, at + 1)?;
        text.get(from..to)
    }

    #[test]
    fn addresses_and_what_only_looks_like_one() {
        assert_eq!(found("to <ana.b+x@mail.example.com>."), Some("ana.b+x@mail.example.com"));
        assert_eq!(found("größe@x.de"), Some("größe@x.de"));
        assert_eq!(found("/people/o'neil@x.io/orders"), Some("o'neil@x.io"));
        assert_eq!(found("'ana@x.de'"), Some("ana@x.de"));
        assert_eq!(found("ana@x.de-2"), Some("ana@x.de"));
        for no in [
            "a@b",
            "icon@2x.png",
            "pkg@1.2.3",
            "@app.route",
            "git@github.com:a/b",
            "https://ana@x.de/",
            "a@.de",
            "a@b..de",
            "rabbit@host",
        ] {
            assert_eq!(found(no), None, "{no}");
        }
        let long = format!("{}@x.de", "ö".repeat(100));
        assert!(found(&long).is_some_and(|text| text.starts_with('ö')), "cut at a character");
    }

    #[test]
    fn one_person_is_one_mark_under_one_key() {
        let key = |byte: u8| ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[byte; 32]);
        let one = mark(Some(&key(1)), "Ana@Example.com");
        assert_eq!(one, mark(Some(&key(1)), "ana%40example.com"));
        assert_eq!(one.len(), "[email 0123456789]".len());
        assert_ne!(one, mark(Some(&key(2)), "ana@example.com"));
        assert_ne!(one, mark(Some(&key(1)), "ana@example.org"));
        assert_eq!(mark(None, "ana@example.com"), "[email]");
    }
}
