//! Text for a mail: lines of a bounded width, a runbook's steps without their Markdown, instants for a reader.

use chrono::{DateTime, FixedOffset, Offset, Utc};

use crate::alert::figure::typeset;
use crate::alert::instant;
use crate::signals::telemetry::Nanos;

/// Longest piece of a runbook in a mail, in characters.
const STEPS: usize = 1_500;

/// How a mail says instants: in the zone of the server, with UTC beside it, and the day where it is not today.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    /// The server's zone.
    pub zone: FixedOffset,
    /// What counts as today.
    pub now: Nanos,
}

impl Speaker {
    /// `19:43 UTC`; `20:43 +01:00 (19:43 UTC)`; `24 Nov 2026, 19:43 UTC`.
    pub fn say(&self, time: Nanos) -> String {
        let local = |time: Nanos| DateTime::from_timestamp_nanos(time).with_timezone(&self.zone);
        let at = local(time);
        let day = if at.date_naive() == local(self.now).date_naive() { "" } else { "%-d %b %Y, " };
        if self.zone.local_minus_utc() == 0 {
            return at.format(&format!("{day}%H:%M UTC")).to_string();
        }
        let utc = at.with_timezone(&Utc.fix());
        format!("{} ({})", at.format(&format!("{day}%H:%M %:z")), utc.format("%H:%M UTC"))
    }

    /// A sentence with its instants said.
    pub fn sentence(&self, text: &str) -> String {
        instant::spoken(text, |time| self.say(time))
    }
}

/// The lines of "First look" in a runbook, without their Markdown, and how many of them were left out.
pub fn first_steps(runbook: &str) -> (Vec<String>, usize) {
    let mut steps: Vec<String> = Vec::new();
    let section = runbook.lines().skip_while(|line| !line.starts_with("## First look")).skip(1);
    for line in
        section.take_while(|line| !line.starts_with("## ")).map(str::trim).filter(|line| !line.is_empty())
    {
        let plain = line.replace("**", "").replace('`', "");
        let starts = plain.starts_with(|c: char| c.is_ascii_digit()) || plain.starts_with(['-', '*']);
        match steps.last_mut() {
            Some(before) if !starts => {
                before.push(' ');
                before.push_str(&plain);
            }
            _ => steps.push(plain),
        }
    }
    let steps: Vec<String> = steps.iter().map(|step| without_links(step)).collect();
    let mut length = 0;
    let kept = steps
        .iter()
        .take_while(|step| {
            length += step.chars().count();
            length <= STEPS
        })
        .count();
    let left = steps.len() - kept;
    (steps.into_iter().take(kept).collect(), left)
}

/// `[text](target)` as `text`.
pub fn without_links(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after.split_once("](").and_then(|(text, tail)| Some((text, tail.split_once(')')?.1))) {
            Some((text, tail)) => {
                plain.push_str(text);
                rest = tail;
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

/// Lines of at most `columns` characters, those after the first indented.
pub fn wrapped(text: &str, columns: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    // A figure stays beside its unit.
    let text = typeset(text);
    let breaks = |c: char| c.is_whitespace() && c != '\u{202f}';
    for word in text.split(breaks).filter(|word| !word.is_empty()) {
        let Some(line) = lines.last_mut() else { continue };
        if !line.trim().is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(format!("{indent}{word}"));
        } else {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n").replace('\u{202f}', " ")
}

/// A share of 1 as a character.
pub fn block(share: Option<f64>) -> char {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    share.map_or('·', |share| BLOCKS[((share.clamp(0.0, 1.0) * 7.0).round() as usize).min(7)])
}

/// How long, in whole minutes.
pub fn lasted(nanos: Nanos) -> String {
    let minutes = (nanos / 60_000_000_000).max(0);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "under a minute".into(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_said_in_the_zone_of_the_server_with_utc_beside_it() {
        let at = 1_763_975_520_000_000_000;
        let speaker = |hours: i32, now| Speaker { zone: FixedOffset::east_opt(hours * 3600).unwrap(), now };
        assert_eq!(speaker(0, at).say(at), "09:12 UTC");
        assert_eq!(speaker(1, at).say(at), "10:12 +01:00 (09:12 UTC)");
        assert_eq!(speaker(0, at + 86_400_000_000_000).say(at), "24 Nov 2025, 09:12 UTC");
        assert_eq!(speaker(0, at).sentence("It was 2025-11-24T09:12:00Z."), "It was 09:12 UTC.");
    }

    #[test]
    fn steps_come_from_the_first_look_alone() {
        let runbook = "# x\n\n## First look (2 minutes)\n\n1. Open the **integration**.\n2. Read [what\n   fails](/x).\n\n## Fix\n\nno";
        let steps = vec!["1. Open the integration.".to_owned(), "2. Read what fails.".to_owned()];
        assert_eq!(first_steps(runbook), (steps, 0));
        assert_eq!(first_steps(""), (Vec::new(), 0));
        assert_eq!(without_links("see [the page](/x) now [a"), "see the page now [a");
    }

    #[test]
    fn steps_that_are_left_out_are_counted() {
        let long = format!("## First look\n1. {}\n2. {}\n3. c", "a".repeat(1_000), "b".repeat(1_000));
        let (steps, left) = first_steps(&long);
        assert_eq!((steps.len(), left), (1, 2));
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        let text = wrapped(&"word ".repeat(60), 72, "   ");
        assert!(text.lines().all(|line| line.chars().count() <= 72) && text.contains("\n   word"));
        assert_eq!(wrapped("in all 62.5 % failed", 11, ""), "in all\n62.5 %\nfailed");
    }
}
