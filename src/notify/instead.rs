//! A mail to somebody else, since its recipient was refused: the same, with a line that says why.

use std::sync::Arc;

use super::header::safe;
use super::prose::wrapped;
use crate::store::mail::NewMail;

/// Makes the links of a body another recipient's: (body, recipient) → body.
pub type Readdress = Arc<dyn Fn(&str, &str) -> String + Send + Sync>;

/// Where the HTML part takes a note.
pub const NOTE: &str = "<!-- note -->";

/// The mail to `to`; `thread` is the first of the incident that went there.
pub fn mail(of: &NewMail, to: &str, thread: Option<String>, why: &str, readdress: &Readdress) -> NewMail {
    let note = format!("You get this because the mail to {} was refused. {}", safe(&of.recipient), safe(why));
    let hash = xxhash_rust::xxh3::xxh3_64(to.as_bytes());
    let message_id = format!("{}.{hash:016x}@seamwatch>", of.message_id.trim_end_matches("@seamwatch>"));
    let subject = of.subject.strip_prefix("Re: ").unwrap_or(&of.subject);
    let shown = format!(
        "<div class=\"s\" style=\"max-width:600px;margin:0 auto;padding:14px 12px 0;color:#5d6166;font:13px/18px \
         -apple-system,'Segoe UI',Helvetica,Arial,sans-serif\">{}</div>",
        escaped(&note)
    );
    NewMail {
        id: uuid::Uuid::now_v7().to_string(),
        recipient: to.to_owned(),
        subject: if thread.is_some() { format!("Re: {subject}") } else { subject.to_owned() },
        message_id,
        in_reply_to: thread,
        text: format!("{}\n\n{}", wrapped(&note, 72, ""), readdress(&of.text, to)),
        html: readdress(&of.html, to).replacen(NOTE, &shown, 1),
        ..of.clone()
    }
}

/// Text as HTML shows it.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
