//! The corpus of secrets: every shape of `tests/data/secrets/shapes.txt`, several times, each with canaries of its
//! own. The same each time it is made.

const SHAPES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/secrets/shapes.txt"));

/// A text with canaries in it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Whether its canaries must go.
    pub secret: bool,
    /// What it is.
    #[allow(dead_code, reason = "the unit tests name it, the integration tests do not")]
    pub kind: String,
    /// The text as it is sent.
    pub text: String,
    /// What is searched for afterwards.
    pub canaries: Vec<String>,
}

/// `each` cases of every shape. Two seeds have no canary in common.
pub fn cases(seed: u64, each: usize) -> Vec<Case> {
    let mut dice = Dice(seed);
    let shapes = SHAPES.lines().filter(|line| line.starts_with(['+', '-']));
    let made = shapes.flat_map(|line| std::iter::repeat_n(line, each)).map(|line| case(line, &mut dice));
    made.collect()
}

fn case(line: &str, dice: &mut Dice) -> Case {
    let (sign, rest) = line.split_at(1);
    let (kind, template) = rest.trim_start().split_once(' ').expect("a shape has a kind and a template");
    let template = template.trim_start().replace("\\n", "\n");
    let (mut text, mut canaries) = (String::new(), Vec::new());
    let mut rest = template.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let (what, after) = rest.split_once('}').expect("a brace is closed");
        let canary = dice.make(what);
        text.push_str(&canary);
        // What is short or shared is no canary.
        if canary.len() >= 3 {
            canaries.push(canary);
        }
        rest = after;
    }
    text.push_str(rest);
    assert!(!canaries.is_empty(), "no canary in {line}");
    Case { secret: sign == "+", kind: kind.to_owned(), text, canaries }
}

/// Numbers that a seed brings back: splitmix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn of(&mut self, alphabet: &str, count: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..count).map(|_| letters[self.next() as usize % letters.len()]).collect()
    }

    fn make(&mut self, what: &str) -> String {
        const DIGITS: &str = "0123456789";
        const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
        const CAPITAL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let (kind, more) = what.split_once(' ').unwrap_or((what, ""));
        let count = || more.parse().expect("a count");
        match kind {
            // A digit and a capital are always among them, as they are in every such token of some length.
            "alnum" => format!("7Q{}", self.of(&[DIGITS, LOWER, CAPITAL].concat(), count() - 2)),
            "hex" => format!("a7{}", self.of("0123456789abcdef", count() - 2)),
            "capital" => self.of(&[CAPITAL, "234567"].concat(), count()),
            // The first keeps a row of digits from being a card's number by chance.
            "digits" => format!("1{}", self.of(DIGITS, count() - 1)),
            "lower" => self.of(LOWER, count()),
            "uuid" => {
                let mut part = |count| self.of("0123456789abcdef", count);
                format!("{}-{}-4{}-8{}-{}", part(8), part(4), part(3), part(3), part(12))
            }
            "basic" => {
                use base64::Engine;
                let pair = format!("{}:{}", self.of(LOWER, 6), self.of(LOWER, 12));
                base64::engine::general_purpose::STANDARD.encode(pair)
            }
            "card" => {
                let first = format!("4{}", self.of(DIGITS, 14));
                let number = (0..10).map(|last| format!("{first}{last}")).find(|number| luhn(number));
                let number = number.expect("one of ten passes");
                if more == "groups" { grouped(&number) } else { number }
            }
            "iban" => {
                let account = self.of(DIGITS, 18);
                // 98 minus the remainder of the account and the country's letters as numbers.
                let check = 98 - remainder(&format!("{account}131400"));
                let number = format!("DE{check:02}{account}");
                if more == "groups" { grouped(&number) } else { number }
            }
            "email" => {
                let sign = if more == "encoded" { "%40" } else { "@" };
                format!("{}.{}{sign}{}.example.com", self.of(LOWER, 8), self.of(LOWER, 8), self.of(LOWER, 8))
            }
            "ean" => format!("40{}", self.of(DIGITS, 11)),
            "phone" => format!("+49 151 {}", self.of(DIGITS, 8)),
            other => panic!("{other} is not made here"),
        }
    }
}

fn grouped(number: &str) -> String {
    let groups: Vec<&str> =
        (0..number.len()).step_by(4).map(|at| &number[at..(at + 4).min(number.len())]).collect();
    groups.join(" ")
}

fn luhn(number: &str) -> bool {
    let digits = number.bytes().rev().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

fn remainder(number: &str) -> u32 {
    number.bytes().fold(0, |rest, byte| (rest * 10 + u32::from(byte - b'0')) % 97)
}
