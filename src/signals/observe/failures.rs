//! Failures: every call that went wrong, every exception, and what came with a payload (vocabulary sections 3 to 5).
//! What went well pays nothing for it.

use std::borrow::Cow;

use super::super::call::Class;
use super::super::change::{CHANGES, Change, What};
use super::super::failure::{ErrorGroup, ErrorKey, Failing, GROUPS, Row};
use super::super::lookup::Lookup;
use super::super::normal::normalised;
use super::super::observation::Direction;
use super::super::telemetry::{Attributes, Log, Nanos, Span, Value};
use super::super::vocabulary::{Attr, Event};
use super::{AHEAD, NOWHERE, Observer};

/// One failure, to be put into its group.
pub(super) struct Failed<'f> {
    /// Place of the integration.
    pub integration: usize,
    /// Which way the call went.
    pub direction: Option<Direction>,
    /// Peer and endpoint.
    pub place: (&'f str, &'f str),
    /// The type of the error.
    pub kind: &'f str,
    /// What it said.
    pub message: &'f str,
    /// When.
    pub time: Nanos,
    /// Where its record lies.
    pub row: Row,
}

impl Observer {
    /// Looks whether a call failed, and notes its failure. `at` is the place of the integration.
    pub(super) fn note_call(&mut self, at: usize, span: &Span<'_>, look: &Lookup<'_, '_>, row: u32) {
        let Some(call) = self.seen.calls.last() else { return };
        let (class, time, series) = (call.class, call.end, call.series as usize);
        let Some(key) = self.seen.series.get(series).cloned() else { return };
        let failed = class.is_bad() && key.direction != Direction::Dependency;
        let exception = exception(span);
        if !failed && exception.is_none() {
            return;
        }
        let kind = kind(&span.attributes, exception);
        let kind = kind.unwrap_or_else(|| if failed { status(look, class) } else { "exception".into() });
        let message = message(exception).unwrap_or(Cow::Borrowed(&span.status_message));
        self.fail(Failed {
            integration: at,
            direction: Some(key.direction),
            place: (&key.peer, &key.endpoint),
            kind: &kind,
            message: &message,
            time,
            row: Row::Span(row),
        });
    }

    /// The same of a span that is no call: it fails where an exception is noted on it.
    pub(super) fn note_span(&mut self, at: usize, span: &Span<'_>, row: u32) {
        let Some(exception) = exception(span) else { return };
        let kind = kind(&span.attributes, Some(exception)).unwrap_or("exception".into());
        let message = message(Some(exception)).unwrap_or(Cow::Borrowed(&span.status_message));
        let ahead = span.end.saturating_sub(self.received_at) > AHEAD;
        let time = if span.end <= 0 || ahead { self.received_at } else { span.end };
        self.fail(Failed {
            integration: at,
            direction: None,
            place: ("", &normalised(&span.name)),
            kind: &kind,
            message: &message,
            time,
            row: Row::Span(row),
        });
    }

    /// Notes a log record that tells of a failure.
    pub(super) fn note_log(
        &mut self,
        at: usize,
        (log, event): (&Log<'_>, Option<Event>),
        peer: &str,
        (time, row): (Nanos, u32),
    ) {
        let own = &log.attributes;
        let is_failure = match event {
            Some(Event::Exception | Event::HttpClientException) => true,
            Some(Event::ContractViolation | Event::WebhookRejected | Event::CredentialRefreshFailed) => true,
            _ => [Attr::ExceptionType, Attr::ExceptionMessage, Attr::Payload]
                .into_iter()
                .any(|attr| own.get(attr).is_some()),
        };
        if !is_failure {
            return;
        }
        let text = |attr| own.get(attr).map(Value::text).filter(|text| !text.is_empty());
        let kind = kind(own, Some(own))
            .or_else(|| text(Attr::WebhookReason))
            .or_else(|| text(Attr::ContractKind))
            .or_else(|| event.map(|event| event.name().into()))
            .unwrap_or("exception".into());
        let message = message(Some(own)).or_else(|| text(Attr::ContractPath)).unwrap_or(log.body.text());
        let endpoint = [Attr::Endpoint, Attr::WebhookEventType, Attr::CredentialId];
        let endpoint = endpoint.into_iter().find_map(text).unwrap_or_default();
        self.fail(Failed {
            integration: at,
            direction: None,
            place: (peer, super::endpoint::cut(&endpoint)),
            kind: &kind,
            message: &message,
            time,
            row: Row::Log(row),
        });
    }

    /// Puts a failure into its group.
    pub(super) fn fail(&mut self, failed: Failed<'_>) {
        let Failed { integration, direction, place, kind, message, time, row } = failed;
        let Some(info) = self.seen.integrations.get(integration) else { return };
        let mut key = ErrorKey::new(info.key.clone(), direction, place, kind, message);
        if self.seen.errors.len() >= GROUPS && !self.errors.contains_key(&key.fingerprint) {
            key = ErrorKey::other(info.key.clone());
            self.notice("failures counted as the error group (other): one request had more than a thousand");
        }
        let groups = &mut self.seen.errors;
        let group = *self.errors.entry(key.fingerprint).or_insert(groups.len());
        if group == groups.len() {
            groups.push(ErrorGroup::new(integration as u32, key));
        }
        let version = self.identity.as_ref().map_or("", |(_, identity)| &identity.info.version);
        if let Some(group) = groups.get_mut(group) {
            group.add(Failing { time, row }, message, version);
        }
    }

    /// Notes which version of an integration a resource is of.
    pub(super) fn note_version(&mut self, at: usize) {
        let Some((_, identity)) = &self.identity else { return };
        let version = &identity.info.version;
        if version.is_empty() || at == NOWHERE {
            return;
        }
        let same = |change: &Change| {
            change.integration as usize == at
                && matches!(&change.what, What::Version(known) if known == version)
        };
        if !self.seen.changes.iter().any(same) {
            self.note_change(at, self.received_at, What::Version(version.clone()));
        }
    }

    /// Notes a change.
    pub(super) fn note_change(&mut self, at: usize, time: Nanos, what: What) {
        if self.seen.changes.len() >= CHANGES {
            return self.notice("changes left out: one request had more than two hundred");
        }
        self.seen.changes.push(Change { integration: at as u32, at: time, what });
    }
}

/// The attributes of the exception that is noted on a span, the last of them: the others led to it.
fn exception<'s, 'a>(span: &'s Span<'a>) -> Option<&'s Attributes<'a>> {
    let is_one =
        |name: &str| matches!(Event::from_wire(name), Some(Event::Exception | Event::HttpClientException));
    span.events.iter().rev().find(|event| is_one(&event.name)).map(|event| &event.attributes)
}

fn kind<'a>(own: &'a Attributes<'_>, exception: Option<&'a Attributes<'_>>) -> Option<Cow<'a, str>> {
    let of = |attributes: &'a Attributes<'_>, attr| attributes.get(attr).map(Value::text);
    let error = of(own, Attr::ErrorType).filter(|text| !text.is_empty());
    error
        .or_else(|| exception.and_then(|exception| of(exception, Attr::ExceptionType)))
        .filter(|text| !text.is_empty())
}

fn message<'a>(exception: Option<&'a Attributes<'_>>) -> Option<Cow<'a, str>> {
    exception?.get(Attr::ExceptionMessage).map(Value::text).filter(|text| !text.is_empty())
}

/// The status that a call was answered with, else its class.
fn status<'a>(look: &'a Lookup<'_, '_>, class: Class) -> Cow<'a, str> {
    let answered = [Attr::HttpStatus, Attr::RpcStatus].into_iter().find_map(|attr| look.own.get(attr));
    answered.map_or(Cow::Borrowed(class.name()), Value::text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::telemetry::{Origin, SpanEvent, SpanKind, Status};
    use super::*;
    use crate::signals::observation::Observations;

    fn attributes(pairs: &[(&'static str, &'static str)]) -> Attributes<'static> {
        let mut list = Attributes::default();
        for (key, value) in pairs {
            list.push((*key).into(), Value::Str((*value).into()));
        }
        list
    }

    fn call(status: &'static str, more: &[(&'static str, &'static str)]) -> Span<'static> {
        let mut pairs = vec![
            ("http.request.method", "GET"),
            ("url.template", "/x/{id}"),
            ("server.address", "api.example"),
            ("http.response.status_code", status),
        ];
        pairs.extend(more);
        Span { kind: SpanKind::Client, end: 50, attributes: attributes(&pairs), ..Span::default() }
    }

    fn seen(spans: &[Span<'_>], logs: &[Log<'_>]) -> Observations {
        let resource = attributes(&[("integration.name", "shop"), ("service.version", "1.2")]);
        let none = Attributes::default();
        let origin = Origin { resource_index: 0, resource: &resource, scope_name: "", scope: &none };
        let mut observer = Observer::new(Arc::default(), 100);
        for span in spans {
            observer.span(&origin, span).unwrap();
        }
        for log in logs {
            observer.log(&origin, log).unwrap();
        }
        observer.finish()
    }

    fn groups(seen: &Observations) -> Vec<(&str, &str, &str, Vec<Row>)> {
        let rows = |group: &ErrorGroup| group.failures.iter().map(|one| one.row).collect();
        let errors = seen.errors.iter();
        errors
            .map(|group| (&*group.key.kind, &*group.key.message, &*group.key.endpoint, rows(group)))
            .collect()
    }

    fn event(name: &'static str, pairs: &[(&'static str, &'static str)]) -> SpanEvent<'static> {
        SpanEvent { name: name.into(), time: 1, attributes: attributes(pairs) }
    }

    #[test]
    fn failing_calls_are_grouped_by_what_they_say_and_others_are_none() {
        let mut thrown = call("200", &[("error.type", "ReadTimeout")]);
        thrown.status = Status::Error;
        let raised =
            [("exception.type", "java.net.SocketException"), ("exception.message", "read of 4096 failed")];
        thrown.events = vec![event("exception", &raised)];
        let mut said = call("503", &[]);
        (said.status, said.status_message) = (Status::Error, "row 17 is locked".into());
        let mut again = said.clone();
        again.status_message = "row 18 is locked".into();
        let spans = [call("200", &[]), said, call("404", &[]), thrown, again];
        let seen = seen(&spans, &[]);
        assert_eq!(
            groups(&seen),
            [
                ("503", "row {n} is locked", "GET /x/{id}", vec![Row::Span(1), Row::Span(4)]),
                ("ReadTimeout", "read of {n} failed", "GET /x/{id}", vec![Row::Span(3)]),
            ]
        );
        assert_eq!(seen.errors[0].latest, (50, "row 18 is locked".into()));
        assert_eq!(seen.errors[0].first, (50, "1.2".into()));
    }

    #[test]
    fn an_exception_on_any_span_is_a_failure_and_a_failing_database_alone_is_none() {
        let mut inner = Span { name: "sync order 17".into(), end: 1 << 60, ..Span::default() };
        inner.kind = SpanKind::Internal;
        inner.events = vec![event("retry", &[]), event("exception", &[("exception.type", "ValueError")])];
        let mut query = Span { kind: SpanKind::Client, end: 50, status: Status::Error, ..Span::default() };
        query.attributes = attributes(&[("db.system.name", "postgresql"), ("db.operation.name", "SELECT")]);
        let seen = seen(&[inner, query], &[]);
        assert_eq!(groups(&seen), [("ValueError", "", "sync order {n}", vec![Row::Span(0)])]);
        assert_eq!(seen.errors[0].first.0, 100, "the future is the time of receipt");
    }

    #[test]
    fn logs_that_tell_of_a_failure_are_one_and_plain_logs_are_none() {
        let log = |name: &'static str, body: &'static str, pairs: &[(&'static str, &'static str)]| Log {
            event_name: name.into(),
            body: Value::Str(body.into()),
            attributes: attributes(pairs),
            time: 50,
            ..Log::default()
        };
        let logs = [
            log("", "all is well", &[]),
            log("exception", "", &[("exception.type", "KeyError"), ("exception.message", "'vat'")]),
            log("", "order 7 was refused", &[("integration.payload", "{}")]),
            log(
                "integration.webhook.rejected",
                "",
                &[
                    ("integration.webhook.event_type", "orders/create"),
                    ("integration.webhook.reason", "bad_signature"),
                ],
            ),
            log(
                "integration.contract.violation",
                "",
                &[("integration.endpoint", "GET /x"), ("integration.contract.path", "$.total")],
            ),
        ];
        let seen = seen(&[], &logs);
        assert_eq!(
            groups(&seen),
            [
                ("KeyError", "{text}", "", vec![Row::Log(1)]),
                ("exception", "order {n} was refused", "", vec![Row::Log(2)]),
                ("bad_signature", "", "orders/create", vec![Row::Log(3)]),
                ("integration.contract.violation", "$.total", "GET /x", vec![Row::Log(4)]),
            ]
        );
    }

    #[test]
    fn a_hundred_thousand_messages_are_a_bounded_number_of_groups_and_lose_none() {
        let word =
            |n: usize| n.to_string().bytes().map(|digit| (digit - b'0' + b'a') as char).collect::<String>();
        let spans: Vec<_> =
            (0..100_000).map(|n| Span { status_message: word(n).into(), ..call("500", &[]) }).collect();
        let seen = seen(&spans, &[]);
        assert_eq!(seen.errors.len(), GROUPS + 1);
        assert_eq!(seen.errors.iter().map(|group| group.failures.len()).sum::<usize>(), 100_000);
        let noticed = seen.notices.iter().find(|(what, _)| what.contains("(other)")).unwrap();
        assert_eq!(noticed.1, (100_000 - GROUPS) as u64);
    }

    #[test]
    fn each_version_of_a_request_is_a_change_once_and_events_tell_of_others() {
        let none = Attributes::default();
        let mut observer = Observer::new(Arc::default(), 100);
        for (index, version) in ["1", "2", "1", ""].into_iter().enumerate() {
            let resource = attributes(&[("integration.name", "shop"), ("service.version", version)]);
            let origin = Origin { resource_index: index, resource: &resource, scope_name: "", scope: &none };
            observer.span(&origin, &call("200", &[])).unwrap();
            if index == 3 {
                let event = Log {
                    event_name: "integration.change".into(),
                    body: Value::Str("API v3 ends".into()),
                    attributes: attributes(&[("integration.change.effective_at", "1800000000")]),
                    time: 60,
                    ..Log::default()
                };
                observer.log(&origin, &event).unwrap();
            }
        }
        let changes = observer.finish().changes;
        let told = What::Told {
            kind: "change".into(),
            text: "API v3 ends".into(),
            effective_at: Some(1_800_000_000),
            time: 60,
        };
        let version = |text: &str| What::Version(text.into());
        let what: Vec<_> = changes.into_iter().map(|change| (change.at, change.what)).collect();
        assert_eq!(what, [(100, version("1")), (100, version("2")), (60, told)]);
    }
}
