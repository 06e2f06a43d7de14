//! Spans and logs as columns, one row a record, redacted. Texts are numbers into the request's own [`Texts`].

use super::texts::Texts;

/// Strings one after another: string `n` is `bytes[offsets[n]..offsets[n + 1]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Strings {
    /// One more than there are strings; starts with 0.
    pub offsets: Vec<u32>,
    /// UTF-8.
    pub bytes: Vec<u8>,
}

impl Default for Strings {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }
}

impl Strings {
    /// Adds one.
    pub fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.push(self.bytes.len() as u32);
    }

    /// String `n`; empty when there is none.
    pub fn get(&self, n: usize) -> &str {
        std::str::from_utf8(self.raw(n)).unwrap_or("")
    }

    /// The bytes of string `n`; none when there is none.
    #[inline]
    pub fn raw(&self, n: usize) -> &[u8] {
        let range = self.offsets.get(n).zip(self.offsets.get(n + 1));
        range.and_then(|(from, to)| self.bytes.get(*from as usize..*to as usize)).unwrap_or(&[])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Maps of text to text: map `n` is the entries `offsets[n]..offsets[n + 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// One more than there are maps; starts with 0.
    pub offsets: Vec<u32>,
    /// (key, value) of all entries. Values are as [`crate::signals::telemetry::Value::text`] gives them.
    pub entries: Vec<(u32, u32)>,
}

impl Default for Maps {
    fn default() -> Self {
        Self { offsets: vec![0], entries: Vec::new() }
    }
}

impl Maps {
    /// Adds one map.
    pub fn push(&mut self, entries: impl Iterator<Item = (u32, u32)>) {
        self.entries.extend(entries);
        self.offsets.push(self.entries.len() as u32);
    }

    /// Map `n`, in order of arrival.
    pub fn get(&self, n: usize) -> &[(u32, u32)] {
        let range = self.offsets.get(n).zip(self.offsets.get(n + 1));
        range.and_then(|(from, to)| self.entries.get(*from as usize..*to as usize)).unwrap_or(&[])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The class column where a span is no call.
pub const NO_CLASS: u8 = u8::MAX;

/// Spans, one row each.
#[derive(Clone, Debug, Default)]
pub struct SpanColumns {
    /// The texts that the other columns name.
    pub texts: Texts,
    /// The resources that `resource` names.
    pub resources: Maps,
    /// 16 bytes.
    pub trace_id: Vec<[u8; 16]>,
    /// 8 bytes.
    pub span_id: Vec<[u8; 8]>,
    /// 8 bytes, all zero for a root.
    pub parent_span_id: Vec<[u8; 8]>,
    /// Unix nanoseconds.
    pub start: Vec<i64>,
    /// Unix nanoseconds.
    pub end: Vec<i64>,
    /// Unix nanoseconds of receipt: what retention counts from.
    pub received: Vec<i64>,
    /// OTLP's number of the kind.
    pub kind: Vec<u8>,
    /// OTLP's number of the status code.
    pub status: Vec<u8>,
    /// `Class as u8`, [`NO_CLASS`] for a span that is no call.
    pub class: Vec<u8>,
    /// Status message.
    pub status_message: Vec<u32>,
    /// Name.
    pub name: Vec<u32>,
    /// `deployment.environment.name`.
    pub environment: Vec<u32>,
    /// `integration.name` as resolved.
    pub integration: Vec<u32>,
    /// Peer of the call, empty for a span that is none.
    pub peer: Vec<u32>,
    /// Endpoint of the call, empty for a span that is none.
    pub endpoint: Vec<u32>,
    /// Name of the instrumentation scope.
    pub scope: Vec<u32>,
    /// Attributes of the span.
    pub attributes: Maps,
    /// Attributes of the resource: a place in `resources`.
    pub resource: Vec<u32>,
    /// JSON array of {time, name, attributes}, empty where there is none.
    pub events: Vec<u32>,
    /// JSON array of {trace_id, span_id, attributes}, empty where there is none.
    pub links: Vec<u32>,
}

impl SpanColumns {
    /// Makes room for so many spans more.
    pub fn reserve(&mut self, spans: usize) {
        self.trace_id.reserve(spans);
        self.span_id.reserve(spans);
        self.parent_span_id.reserve(spans);
        for times in [&mut self.start, &mut self.end, &mut self.received] {
            times.reserve(spans);
        }
        for smalls in [&mut self.kind, &mut self.status, &mut self.class] {
            smalls.reserve(spans);
        }
        for texts in [
            &mut self.status_message,
            &mut self.name,
            &mut self.environment,
            &mut self.integration,
            &mut self.peer,
            &mut self.endpoint,
            &mut self.scope,
            &mut self.resource,
            &mut self.events,
            &mut self.links,
        ] {
            texts.reserve(spans);
        }
        self.attributes.offsets.reserve(spans);
        self.attributes.entries.reserve(spans * 10);
    }

    /// How many spans.
    pub fn len(&self) -> usize {
        self.trace_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.trace_id.is_empty()
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.texts.bytes()
            + self.attributes.entries.len() * 8
            + self.resources.entries.len() * 8
            + self.len() * 107
    }

    /// The attributes of a row as text.
    pub fn attributes(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        said(&self.texts, self.attributes.get(row))
    }

    /// The attributes of a row's resource as text.
    pub fn resource(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        let place = self.resource.get(row).map_or(usize::MAX, |place| *place as usize);
        said(&self.texts, self.resources.get(place))
    }
}

/// Log records, one row each.
#[derive(Clone, Debug, Default)]
pub struct LogColumns {
    /// The texts that the other columns name.
    pub texts: Texts,
    /// The resources that `resource` names.
    pub resources: Maps,
    /// Unix nanoseconds; receipt where the sender gave none.
    pub time: Vec<i64>,
    /// Unix nanoseconds of receipt: what retention counts from.
    pub received: Vec<i64>,
    /// All zero when not given.
    pub trace_id: Vec<[u8; 16]>,
    /// All zero when not given.
    pub span_id: Vec<[u8; 8]>,
    /// 1–24, 0 when not given.
    pub severity: Vec<u8>,
    /// Severity as sent.
    pub severity_text: Vec<u32>,
    /// `event_name`, empty for a plain log.
    pub event_name: Vec<u32>,
    /// Body as text.
    pub body: Vec<u32>,
    /// `deployment.environment.name`.
    pub environment: Vec<u32>,
    /// `integration.name` as resolved.
    pub integration: Vec<u32>,
    /// Name of the instrumentation scope.
    pub scope: Vec<u32>,
    /// Attributes of the record.
    pub attributes: Maps,
    /// Attributes of the resource: a place in `resources`.
    pub resource: Vec<u32>,
}

impl LogColumns {
    /// How many records.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.texts.bytes()
            + self.attributes.entries.len() * 8
            + self.resources.entries.len() * 8
            + self.len() * 73
    }

    /// The attributes of a row as text.
    pub fn attributes(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        said(&self.texts, self.attributes.get(row))
    }

    /// The attributes of a row's resource as text.
    pub fn resource(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        let place = self.resource.get(row).map_or(usize::MAX, |place| *place as usize);
        said(&self.texts, self.resources.get(place))
    }
}

fn said<'t>(texts: &'t Texts, entries: &'t [(u32, u32)]) -> impl Iterator<Item = (&'t str, &'t str)> {
    entries.iter().map(|(key, value)| (texts.get(*key), texts.get(*value)))
}

/// Two columns are equal when they say the same; how their texts are numbered does not matter.
impl PartialEq for SpanColumns {
    fn eq(&self, other: &Self) -> bool {
        let texts = |of: &Self, row: usize| {
            [
                &of.status_message,
                &of.name,
                &of.environment,
                &of.integration,
                &of.peer,
                &of.endpoint,
                &of.scope,
                &of.events,
                &of.links,
            ]
            .map(|column| of.texts.get(column.get(row).copied().unwrap_or(0)).to_owned())
        };
        self.trace_id == other.trace_id
            && self.span_id == other.span_id
            && self.parent_span_id == other.parent_span_id
            && self.start == other.start
            && self.end == other.end
            && self.received == other.received
            && (&self.kind, &self.status, &self.class) == (&other.kind, &other.status, &other.class)
            && (0..self.len()).all(|row| {
                texts(self, row) == texts(other, row)
                    && self.attributes(row).eq(other.attributes(row))
                    && self.resource(row).eq(other.resource(row))
            })
    }
}

impl PartialEq for LogColumns {
    fn eq(&self, other: &Self) -> bool {
        let texts = |of: &Self, row: usize| {
            [&of.severity_text, &of.event_name, &of.body, &of.environment, &of.integration, &of.scope]
                .map(|column| of.texts.get(column.get(row).copied().unwrap_or(0)).to_owned())
        };
        self.time == other.time
            && self.received == other.received
            && (&self.trace_id, &self.span_id, &self.severity)
                == (&other.trace_id, &other.span_id, &other.severity)
            && (0..self.len()).all(|row| {
                texts(self, row) == texts(other, row)
                    && self.attributes(row).eq(other.attributes(row))
                    && self.resource(row).eq(other.resource(row))
            })
    }
}
