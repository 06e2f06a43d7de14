//! Ways to be told besides e-mail, over the same outbox: a signed webhook, a chat that takes Slack's form, PagerDuty.
//!
//! What is sent is written with the transition; what proves who sends it (a signature, a key) is added at each try and
//! kept nowhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ring::hmac;
use serde_json::{Value, json};

use super::message::{Context, message_id, subject};
use super::payload;
use super::smtp::{Blame, SendError};
use crate::alert::incident::{Incident, Severity, Transition};
use crate::outgoing::client::{Client, Error};
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Kind, NewMail, Own};

/// What a channel speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON of ours, signed as Standard Webhooks has it.
    Webhook,
    /// Slack's incoming webhooks, and what takes the same.
    Slack,
    /// PagerDuty's Events API, version 2.
    PagerDuty,
}

/// A way to be told.
#[derive(Clone)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub form: Form,
    /// Where it takes messages; of a chat a secret too.
    pub url: String,
    /// What signs, or the routing key.
    pub secret: String,
    /// What is less severe is not told.
    pub least: Severity,
    /// Of these integrations alone; of all where none is named.
    pub integrations: Vec<String>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Channel({})", self.name)
    }
}

impl Channel {
    /// Whether it is told of an incident.
    pub fn admits(&self, incident: &Incident) -> bool {
        let integration = incident.labels.get("integration");
        let named = |integration: &String| self.integrations.contains(integration);
        incident.severity >= self.least && (self.integrations.is_empty() || integration.is_some_and(named))
    }
}

/// All channels, and the client that reaches them.
#[derive(Clone)]
pub struct Channels {
    /// The one client for all that calls out.
    pub client: Client,
    /// As configured.
    pub all: Vec<Channel>,
}

impl Channels {
    /// Messages for one transition. `told` names channels that were told of the incident before: those hear its end,
    /// however mild it has become.
    pub fn compose(&self, transition: &Transition, context: &Context, told: &[String]) -> Vec<NewMail> {
        let incident = &transition.incident;
        let of = self.all.iter().filter(|one| told.contains(&one.name) || one.admits(incident));
        of.map(|channel| {
            let body = match channel.form {
                Form::Webhook => payload::webhook(transition, context),
                Form::Slack => payload::slack(transition, context),
                Form::PagerDuty => payload::pagerduty(transition, context),
            };
            message(
                channel,
                incident,
                Kind::Alert(transition.change),
                message_id(transition, &channel.name),
                body,
                context.now,
            )
        })
        .collect()
    }

    /// Messages that tell that somebody looks at an incident, to those channels that have a word for it.
    pub fn acknowledged(&self, incident: &Incident, by: &str, told: &[String], now: Nanos) -> Vec<NewMail> {
        let of = self.all.iter().filter(|one| one.form == Form::PagerDuty && told.contains(&one.name));
        of.map(|channel| {
            let id = format!("<{}.{now}.acknowledged.{}@seamwatch>", incident.id, channel.name);
            let body = payload::pagerduty_acknowledged(incident, by);
            message(channel, incident, Kind::Own(Own::Acknowledged), id, body, now)
        })
        .collect()
    }

    /// Sends one message and says what was answered.
    pub async fn send(&self, mail: &NewMail, now: Nanos) -> Result<String, SendError> {
        let Some(channel) = self.all.iter().find(|one| one.name == mail.channel) else {
            let message = format!("No channel {} is configured any more.", mail.channel);
            return Err(SendError { blame: Blame::Recipient, message });
        };
        let (headers, body) = request(channel, mail, now / 1_000_000_000);
        let answer = self.client.send(Method::POST, &channel.url, headers, Bytes::from(body)).await;
        let answer =
            answer.map_err(|error| SendError { blame: blame(&error), message: error.to_string() })?;
        let status = answer.status;
        if status.is_success() {
            return Ok(format!("{} answered {}", channel.name, status.as_u16()));
        }
        let (blame, advice) = match status.as_u16() {
            408 | 425 | 429 | 500..=599 => (Blame::Relay, ""),
            400 | 413 | 422 => (Blame::Content, " It does not take what the message says."),
            401 | 403 => (Blame::Ours, " Check the channel's secret and its address."),
            404 | 410 => (Blame::Ours, " There is nothing at its address: check the channel's url."),
            _ => (Blame::Ours, " Check the channel's url."),
        };
        Err(SendError { blame, message: format!("{} answered {}.{advice}", channel.name, status.as_u16()) })
    }
}

fn message(
    channel: &Channel,
    incident: &Incident,
    kind: Kind,
    message_id: String,
    body: Value,
    now: Nanos,
) -> NewMail {
    NewMail {
        id: uuid::Uuid::now_v7().to_string(),
        incident_id: incident.id.clone(),
        kind,
        channel: channel.name.clone(),
        recipient: channel.name.clone(),
        from_name: "Seamwatch".into(),
        subject: subject::of(incident),
        message_id,
        in_reply_to: None,
        headers: Vec::new(),
        text: body.to_string(),
        html: String::new(),
        created_at: now,
    }
}

/// Head and body of a try.
fn request(channel: &Channel, mail: &NewMail, seconds: i64) -> (HeaderMap, String) {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let mut body = mail.text.clone();
    match channel.form {
        Form::Slack => {}
        Form::PagerDuty => {
            if let Ok(mut event) = serde_json::from_str::<Value>(&body)
                && let Some(fields) = event.as_object_mut()
            {
                fields.insert("routing_key".into(), json!(channel.secret));
                body = event.to_string();
            }
        }
        Form::Webhook => {
            let signature = signature(&channel.secret, &mail.id, seconds, &body);
            for (name, value) in [
                ("webhook-id", mail.id.clone()),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", signature),
            ] {
                // Hex, digits and base64: always a header's value.
                if let Ok(value) = HeaderValue::try_from(value) {
                    headers.insert(HeaderName::from_static(name), value);
                }
            }
        }
    }
    (headers, body)
}

/// `v1,BASE64` over `ID.SECONDS.BODY`, as Standard Webhooks has it; a secret that begins with `whsec_` is base64.
pub fn signature(secret: &str, id: &str, seconds: i64, body: &str) -> String {
    let encoded = secret.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
    let key = encoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    let tag =
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

fn blame(error: &Error) -> Blame {
    match error {
        Error::NoUrl | Error::Scheme(_) | Error::Password(_) | Error::Port(..) | Error::Inside(_) => {
            Blame::Ours
        }
        _ => Blame::Relay,
    }
}

#[cfg(test)]
mod tests;
