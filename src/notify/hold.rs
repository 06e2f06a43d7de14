//! What is too much for a recipient within an hour: it is held back, and one summary tells of all of it.

use askama::Template;

use super::header::{safe, shortened};
use super::prose::wrapped;
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Kind, Mail, NewMail, Own};
use crate::store::{Error, Store};

const HOUR: Nanos = 3_600_000_000_000;
/// So many are listed; the rest is counted.
const LISTED: usize = 60;

#[derive(Template)]
#[template(path = "email/summary/body.html")]
struct Html<'m> {
    headline: &'m str,
    lines: &'m [(String, String)],
    more: &'m str,
}

/// Why a mail is held back; none where it may go. What is of no incident always may.
pub async fn too_many(
    store: &Store,
    mail: &NewMail,
    hourly: u32,
    now: Nanos,
) -> Result<Option<String>, Error> {
    if matches!(mail.kind, Kind::Own(_)) {
        return Ok(None);
    }
    let severity = mail.headers.iter().find(|(name, _)| name == "X-Seamwatch-Severity");
    let critical = severity.is_some_and(|(_, value)| value == "critical");
    let most = u64::from(hourly) * if critical { 2 } else { 1 };
    let sent = store.sent_to(&mail.recipient, now - HOUR).await?;
    Ok((sent >= most).then(|| {
        format!("Held back: {} got {sent} mails within an hour. A summary tells of this one.", mail.recipient)
    }))
}

/// Writes the summary for one recipient who has room again; whether there was any.
pub async fn summarise(store: &Store, hourly: u32, now: Nanos) -> Result<bool, Error> {
    let held = store.held_mails().await?;
    let mut seen: Vec<&str> = Vec::new();
    for mail in &held {
        let recipient = &*mail.mail.recipient;
        if seen.contains(&recipient) {
            continue;
        }
        seen.push(recipient);
        if store.sent_to(recipient, now - HOUR).await? >= u64::from(hourly) {
            continue;
        }
        let theirs: Vec<&Mail> = held.iter().filter(|mail| mail.mail.recipient == recipient).collect();
        let ids: Vec<String> = theirs.iter().map(|mail| mail.mail.id.clone()).collect();
        store.summarise(&summary(recipient, &theirs, now), &ids).await?;
        return Ok(true);
    }
    Ok(false)
}

/// One mail that tells of all that was held back, newest first.
fn summary(recipient: &str, held: &[&Mail], now: Nanos) -> NewMail {
    let headline = format!(
        "{} mails to you were held back, because more than the limit came within an hour. Nothing of them is lost: \
         the incidents are on the dashboard, and this lists them.",
        held.len()
    );
    let lines: Vec<(String, String)> = held
        .iter()
        .rev()
        .take(LISTED)
        .map(|mail| {
            let first: String = mail.mail.text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
            let subject = mail.mail.subject.trim_start_matches("Re: ");
            (format!("{} ({})", safe(subject), safe(&mail.mail.from_name)), shortened(&safe(&first), 160))
        })
        .collect();
    let more = match held.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("And {more} more; the dashboard's mail page has all of them."),
    };
    let mut text = format!("{}\n", wrapped(&headline, 72, ""));
    for (subject, first) in &lines {
        text += &format!("\n{}\n{}\n", wrapped(subject, 72, ""), wrapped(&format!("  {first}"), 72, "  "));
    }
    if !more.is_empty() {
        text += &format!("\n{}\n", wrapped(&more, 72, ""));
    }
    let html = Html { headline: &headline, lines: &lines, more: &more };
    let id = uuid::Uuid::now_v7().to_string();
    NewMail {
        message_id: format!("<summary.{id}@seamwatch>"),
        id,
        incident_id: String::new(),
        kind: Kind::Own(Own::Summary),
        channel: String::new(),
        recipient: recipient.to_owned(),
        from_name: "Seamwatch, held back".into(),
        subject: format!("{} mails were held back", held.len()),
        in_reply_to: None,
        headers: vec![("X-Seamwatch-State".into(), "summary".into())],
        text,
        // Rendering into a string cannot fail; the text part says the same.
        html: html.render().unwrap_or_default(),
        created_at: now,
    }
}
