//! Calls as spans, outbound and inbound, with the attributes that rates and classes are made of.

use std::time::SystemTime;

use opentelemetry::trace::{Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

use crate::names;

/// Longest payload, in bytes.
const PAYLOAD: usize = 16 << 10;

/// A call that has not begun.
#[derive(Debug)]
#[must_use = "a call is a span once it was started"]
pub struct Call<'i> {
    tracer: &'i SdkTracer,
    span: SpanBuilder,
    attributes: Vec<KeyValue>,
    kind: SpanKind,
    parent: Option<SpanContext>,
}

impl<'i> Call<'i> {
    pub(crate) fn outbound(
        tracer: &'i SdkTracer,
        method: &'static str,
        peer: String,
        template: String,
    ) -> Call<'i> {
        let span = SpanBuilder::from_name(format!("{method} {template}")).with_kind(SpanKind::Client);
        let attributes = vec![
            KeyValue::new(names::HTTP_METHOD, method),
            KeyValue::new(names::SERVER_ADDRESS, peer),
            KeyValue::new(names::URL_TEMPLATE, template),
        ];
        Call { tracer, span, attributes, kind: SpanKind::Client, parent: None }
    }

    pub(crate) fn inbound(tracer: &'i SdkTracer, method: &'static str, route: String) -> Call<'i> {
        let span = SpanBuilder::from_name(format!("{method} {route}")).with_kind(SpanKind::Server);
        let attributes =
            vec![KeyValue::new(names::HTTP_METHOD, method), KeyValue::new(names::HTTP_ROUTE, route)];
        Call { tracer, span, attributes, kind: SpanKind::Server, parent: None }
    }

    /// Which customer account or tenant it is for.
    pub fn connection(self, id: impl Into<String>) -> Call<'i> {
        self.attribute(names::CONNECTION_ID, id.into())
    }

    /// Which credential slot it used.
    pub fn credential(self, id: impl Into<String>) -> Call<'i> {
        self.attribute(names::CREDENTIAL_ID, id.into())
    }

    /// 0 is the first attempt of an operation, above 0 a retry.
    pub fn resend_count(self, count: u32) -> Call<'i> {
        if count == 0 { self } else { self.attribute(names::HTTP_RESEND_COUNT, i64::from(count)) }
    }

    /// On a retry: the class of the attempt that it retries, as in `server` or `timeout`.
    pub fn retry_of(self, class: impl Into<String>) -> Call<'i> {
        self.attribute(names::RETRY_OF, class.into())
    }

    /// On a webhook: who sent it and which event it is.
    pub fn webhook(self, provider: impl Into<String>, event_type: impl Into<String>) -> Call<'i> {
        self.attribute(names::WEBHOOK_PROVIDER, provider.into())
            .attribute(names::WEBHOOK_EVENT_TYPE, event_type.into())
    }

    /// A further attribute.
    pub fn attribute(mut self, key: &'static str, value: impl Into<Value>) -> Call<'i> {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// When it began, if not now.
    pub fn started_at(mut self, time: SystemTime) -> Call<'i> {
        self.span = self.span.with_start_time(time);
        self
    }

    /// What caused it, if not the current OpenTelemetry context: the webhook whose order is written, say.
    pub fn caused_by(mut self, parent: &SpanContext) -> Call<'i> {
        self.parent = Some(parent.clone());
        self
    }

    /// Begins it, as a child of what caused it.
    pub fn start(self) -> Attempt {
        let parent = match self.parent {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::current(),
        };
        let span = self.span.with_attributes(self.attributes).start_with_context(self.tracer, &parent);
        Attempt { span, kind: self.kind }
    }
}

/// A call under way. Dropped without an answer it counts as cancelled.
#[derive(Debug)]
#[must_use = "an attempt that is dropped at once counts as cancelled"]
pub struct Attempt {
    span: SdkSpan,
    kind: SpanKind,
}

impl Attempt {
    /// The answer's status code. From 400 up (500 up where we answer) it is an error with the code as `error.type`.
    pub fn answered(mut self, status: u16) -> Attempt {
        self.span.set_attribute(KeyValue::new(names::HTTP_STATUS, i64::from(status)));
        let least = if self.kind == SpanKind::Server { 500 } else { 400 };
        if status >= least { self.failed(status.to_string()) } else { self }
    }

    /// It failed without an answer (`timeout`, `dns`, `connection_reset`), or in spite of one.
    pub fn failed(mut self, error_type: impl Into<String>) -> Attempt {
        let error_type = error_type.into();
        self.span.set_status(Status::error(error_type.clone()));
        self.span.set_attribute(KeyValue::new(names::ERROR_TYPE, error_type));
        self
    }

    /// The body that a failing answer came with, in its first 16 KiB: it is kept for as long as an incident may be asked
    /// about. The server takes secrets out; what it shall never see is best left out here.
    pub fn payload(mut self, body: impl Into<String>) -> Attempt {
        let mut body = body.into();
        let end = (0..=PAYLOAD.min(body.len())).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0);
        body.truncate(end);
        self.span.set_attribute(KeyValue::new(names::PAYLOAD, body));
        self
    }

    /// The exception that ended it: failures that say the same, whatever ids stand in it, are shown as one.
    pub fn raised(mut self, kind: impl Into<String>, message: impl Into<String>) -> Attempt {
        let attributes = vec![
            KeyValue::new(names::EXCEPTION_TYPE, kind.into()),
            KeyValue::new(names::EXCEPTION_MESSAGE, message.into()),
        ];
        self.span.add_event(names::EXCEPTION, attributes);
        self
    }

    /// How many records it carried, and how many of them failed inside a 2xx.
    pub fn records(mut self, count: u32, failed: u32) -> Attempt {
        self.span.set_attribute(KeyValue::new(names::RECORDS_COUNT, i64::from(count)));
        self.span.set_attribute(KeyValue::new(names::RECORDS_FAILED, i64::from(failed)));
        self
    }

    /// The span's ids, to be handed on.
    pub fn context(&self) -> &SpanContext {
        self.span.span_context()
    }

    /// The W3C `traceparent` header to send along.
    pub fn traceparent(&self) -> String {
        let context = self.context();
        format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags())
    }

    /// It ends now.
    pub fn end(mut self) {
        self.span.end();
    }

    /// It ended then.
    pub fn end_at(mut self, time: SystemTime) {
        self.span.end_with_timestamp(time);
    }
}
