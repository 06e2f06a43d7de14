//! Numbers that say by themselves what they are: payment cards, bank accounts, telephones.

/// Longest card number.
const CARD: usize = 19;

/// The length of a payment card's number that begins here, in one piece or in groups.
///
/// Luhn alone is too little here: one in ten order numbers passes it, and product codes (EAN) are of 13 digits. So
/// the beginning must be an issuer's and the length what that issuer gives.
pub fn card(text: &[u8]) -> Option<usize> {
    let (mut digits, mut count, mut found, mut gap) = ([0u8; CARD], 0, None, None);
    let mut rest = text;
    loop {
        let group = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        for byte in rest.get(..group)? {
            match digits.get_mut(count) {
                Some(digit) => *digit = byte - b'0',
                // One more digit than any card has.
                None => return found,
            }
            count += 1;
        }
        rest = rest.get(group..)?;
        if ends(rest) && is_card(digits.get(..count)?) {
            found = Some(text.len() - rest.len());
        }
        // A number in one piece has no groups behind it, and groups are parted in one way.
        let next = *rest.first().unwrap_or(&b'.');
        if !matches!(next, b' ' | b'-') || gap.is_some_and(|gap| gap != next) || !(4..=6).contains(&group) {
            return found;
        }
        (gap, rest) = (Some(next), rest.get(1..)?);
    }
}

/// Whether a number ends here: `4242.5` goes on, and so does one of more groups.
fn ends(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b'.', next, ..] => !next.is_ascii_digit(),
        [b'-' | b'_', next, ..] => !next.is_ascii_alphanumeric(),
        [next, ..] => !next.is_ascii_alphanumeric(),
    }
}

/// Whether a whole number is a card's.
pub fn is_card_number(number: u64) -> bool {
    if !(30_000_000_000_000..7_000_000_000_000_000_000).contains(&number) {
        return false;
    }
    let mut text = itoa::Buffer::new();
    card(text.format(number).as_bytes()).is_some_and(|length| length <= 16)
}

fn is_card(digits: &[u8]) -> bool {
    let start =
        |count: usize| digits.iter().take(count).fold(0u32, |number, digit| number * 10 + u32::from(*digit));
    let (two, three, four) = (start(2), start(3), start(4));
    let issued = match digits.len() {
        // Diners.
        14 => matches!(two, 36 | 38 | 39) || matches!(three, 300..=305),
        // American Express.
        15 => matches!(two, 34 | 37),
        // Visa, Mastercard, Discover, JCB, UnionPay, Maestro.
        16 => {
            matches!(two, 40..=49 | 51..=55 | 62 | 65)
                || matches!(three, 644..=649)
                || matches!(four, 2221..=2720 | 3528..=3589 | 6011 | 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763)
        }
        // UnionPay, and Visa's of 19.
        17 | 18 => two == 62,
        19 => two == 62 || matches!(two, 40..=49),
        _ => false,
    };
    issued && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let value = |(at, digit): (usize, &u8)| {
        if at % 2 == 0 { u32::from(*digit) } else { u32::from(digit * 2 / 10 + digit * 2 % 10) }
    };
    let sum: u32 = digits.iter().rev().enumerate().map(value).sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| Some(digit) != digits.first())
}

/// Lengths by country (ISO 13616, the registry of SWIFT).
const COUNTRIES: [(&[u8; 2], usize); 80] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VG", 24),
];

/// The length of an IBAN that begins here, in one piece or in groups of four.
pub fn iban(text: &[u8]) -> Option<usize> {
    // Behind the country stand two digits to check by, 02 to 98: `DEADBEEF…` is a hash in capitals.
    let check = text.get(2..4)?;
    let has_check = check.iter().all(u8::is_ascii_digit) && !matches!(check, b"00" | b"01" | b"99");
    let (_, length) = COUNTRIES.iter().find(|(country, _)| has_check && text.starts_with(*country))?;
    let (mut count, mut end, mut remainder) = (0, 0, 0u32);
    let mut head = [0u8; 4];
    let add = |remainder: u32, byte: u8| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    };
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b' ' if end == at && count % 4 == 0 => continue,
            b'0'..=b'9' | b'A'..=b'Z' if count < *length => {}
            _ => break,
        }
        // The first four go to the end.
        match head.get_mut(count) {
            Some(place) => *place = *byte,
            None => remainder = add(remainder, *byte),
        }
        (count, end) = (count + 1, at + 1);
    }
    let checked = head.iter().fold(remainder, |remainder, byte| add(remainder, (*byte).max(b'0')));
    let ends = text.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    // Behind the country stand two digits, 02 to 98: one word in 97 that has others would pass the sum too.
    let has_check = matches!(
        head,
        [_, _, b'0', b'2'..=b'9'] | [_, _, b'1'..=b'8', b'0'..=b'9'] | [_, _, b'9', b'0'..=b'8']
    );
    (count == *length && ends && has_check && checked == 1).then_some(end)
}

/// The length of a telephone number in international form: `+` and 8 to 15 digits, in groups or not.
pub fn phone(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"+")?;
    if !matches!(rest.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let (mut digits, mut end) = (0, 0);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => (digits, end) = (digits + 1, at + 1),
            b' ' | b'-' | b'.' | b'/' | b'(' | b')' if at < end + 2 => {}
            _ => break,
        }
        if digits > 15 {
            return None;
        }
    }
    let ends = rest.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (digits >= 8 && ends).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_of_every_issuer() {
        for number in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "30569309025904",
            "36227206271667",
            "3566002020360505",
            "6200000000000005",
            "6205500000000000004",
        ] {
            assert_eq!(card(number.as_bytes()), Some(number.len()), "{number}");
        }
        assert_eq!(card(b"4242424242424242 3 times"), Some(16));
        assert_eq!(card(b"4242 4242 4242 4242 3 times"), Some(19));
        assert!(is_card_number(4_242_424_242_424_242) && is_card_number(378_282_246_310_005));
    }

    #[test]
    fn numbers_that_are_no_card() {
        for number in [
            "4242424242424241",
            "1763892720123456789",
            "5123456789012",
            "4006381333931",
            "40123456789012",
            "0000000000000000",
            "4242 42424242-4242",
            "4242424242424242.5",
            "4242424242424242x",
            "424242424242424242424242",
            "4444444444444444",
            "4242-4242-4242-4242-4242",
        ] {
            assert_eq!(card(number.as_bytes()), None, "{number}");
        }
        assert!(!is_card_number(1_763_892_720_123_456_789) && !is_card_number(4_242_424_242_424_241));
    }

    #[test]
    fn accounts_by_country_length_and_checksum() {
        for iban_text in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29NWBK60161331926819",
            "GB29 NWBK 6016 1331 9268 19",
            "FR1420041010050500013M02606",
            "NL91ABNA0417164300",
            "NL91 ABNA 0417 1643 00",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert_eq!(iban(iban_text.as_bytes()), Some(iban_text.len()), "{iban_text}");
        }
        for no in [
            "DE89370400440532013001",
            "DE8937040044053201300",
            "DE893704004405320130000",
            "DEADBEEF",
            "DEADBEEF12505265164965",
            "XX89370400440532013000",
        ] {
            assert_eq!(iban(no.as_bytes()), None, "{no}");
        }
        // Its sum is right, and it has letters where an account has its check digits.
        assert_eq!(iban(b"DEADBEEF12505265164965"), None);
        assert_eq!(iban(b"DE89 3704 0044 0532 0130 00 and more"), Some(27));
    }

    #[test]
    fn telephones_in_international_form() {
        for number in ["+4915112345678", "+49 151 1234-5678", "+1 (415) 555-2671"] {
            assert_eq!(phone(number.as_bytes()), Some(number.len()), "{number}");
        }
        for no in ["+1", "+12", "+0151123456", "+1234567890123456", "4915112345678", "+491511234567x"] {
            assert_eq!(phone(no.as_bytes()), None, "{no}");
        }
    }
}
