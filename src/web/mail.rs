//! `/mail`: every alert mail, whether it left, and what it looks like.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use super::asked::Named;
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::view::outbox::{self, MailRow};
use super::{MailInfo, State, load};
use crate::signals::telemetry::Nanos;
use crate::store::mail::Mail;

/// As many mails as the list shows.
const MAILS: u32 = 200;

/// A mail's HTML may style itself and do nothing else: no script, no request, no form, no origin.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox";

/// The list.
#[derive(Template)]
#[template(path = "mail.html")]
pub struct List {
    frame: Frame,
    to_files: bool,
    folder: String,
    mails: Vec<MailRow>,
}

/// One mail.
#[derive(Template)]
#[template(path = "mail_one.html")]
pub struct Page {
    frame: Frame,
    row: MailRow,
    headers: Vec<(&'static str, String)>,
    incident: String,
    text: String,
    html_href: String,
    height: usize,
    has_html: bool,
}

/// Lists them.
pub async fn list(Extract(state): Extract<State>, Extension(who): Extension<Who>) -> Result<Response, Error> {
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let mails = state.store.mails(MAILS).await?;
    let frame = Frame::new(&state, &who, &open, "mail", "Mail");
    Ok(page::render(&listed(frame, &mails, &state.mail, (state.clock)())))
}

/// The list from plain values.
pub fn listed(frame: Frame, mails: &[Mail], info: &MailInfo, now: Nanos) -> List {
    List {
        frame,
        to_files: info.transport == "file",
        folder: info.folder.clone().unwrap_or_default(),
        mails: mails.iter().map(|mail| outbox::row(mail, now)).collect(),
    }
}

/// Shows one.
pub async fn show(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(id): Named,
) -> Result<Response, Error> {
    let mail = find(&state, &id).await?;
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let frame = Frame::new(&state, &who, &open, "mail", mail.mail.subject.clone());
    Ok(page::render(&shown(frame, &mail, &state.mail, (state.clock)())))
}

/// One mail from plain values.
pub fn shown(frame: Frame, mail: &Mail, info: &MailInfo, now: Nanos) -> Page {
    let new = &mail.mail;
    let from = match info.from.as_str() {
        "" => new.from_name.clone(),
        address => format!("{} <{address}>", new.from_name),
    };
    let headers = [
        ("From", from),
        ("To", new.recipient.clone()),
        ("Subject", new.subject.clone()),
        ("Message-ID", new.message_id.clone()),
        ("In-Reply-To", new.in_reply_to.clone().unwrap_or_default()),
    ];
    Page {
        row: outbox::row(mail, now),
        headers: headers.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        incident: new.incident_id.clone(),
        height: height(&new.text),
        has_html: !new.html.is_empty(),
        text: new.text.clone(),
        html_href: format!("/mail/{}/html", super::view::figure::encoded(&new.id)),
        frame,
    }
}

/// About how many pixels the HTML part takes: it says what the text part says, and a sandboxed frame cannot be measured.
fn height(text: &str) -> usize {
    40 + 24 * text.lines().count()
}

/// The HTML part by itself, for the frame. Its policy replaces that of the pages.
pub async fn html(Extract(state): Extract<State>, Named(id): Named) -> Result<Response, Error> {
    let mail = find(&state, &id).await?;
    let mut response = Html(mail.mail.html).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY));
    Ok(response)
}

async fn find(state: &State, id: &str) -> Result<Mail, Error> {
    let found = state.store.mail(id).await?;
    found.ok_or_else(|| Error::NotFound("There is no such mail. The mail page lists the latest.".into()))
}
