//! Spans and logs as columns in Arrow's own layout, so that a flush turns them into Parquet without copying rows.

/// Strings one after another: string `n` is `bytes[offsets[n]..offsets[n + 1]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Strings {
    /// One more than there are strings; starts with 0.
    pub offsets: Vec<i32>,
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
        self.offsets.push(self.bytes.len() as i32);
    }

    /// String `n`; empty when there is none.
    pub fn get(&self, n: usize) -> &str {
        let range = self.offsets.get(n).zip(self.offsets.get(n + 1));
        range
            .and_then(|(from, to)| self.bytes.get(*from as usize..*to as usize))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory.
    pub fn footprint(&self) -> usize {
        self.bytes.capacity() + self.offsets.capacity() * size_of::<i32>()
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: &Strings) {
        let base = self.bytes.len() as i32;
        self.bytes.extend_from_slice(&other.bytes);
        self.offsets.extend(other.offsets[1..].iter().map(|offset| base + offset));
    }
}

/// Maps of string to string: map `n` is the entries `offsets[n]..offsets[n + 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// One more than there are maps; starts with 0.
    pub offsets: Vec<i32>,
    /// Keys of all entries.
    pub keys: Strings,
    /// Values of all entries, as [`crate::signals::telemetry::Value::text`] gives them.
    pub values: Strings,
}

impl Default for Maps {
    fn default() -> Self {
        Self { offsets: vec![0], keys: Strings::default(), values: Strings::default() }
    }
}

impl Maps {
    /// Adds one map.
    pub fn push<'a>(&mut self, entries: impl Iterator<Item = (&'a str, std::borrow::Cow<'a, str>)>) {
        for (key, value) in entries {
            self.keys.push(key);
            self.values.push(&value);
        }
        self.offsets.push(self.keys.len() as i32);
    }

    /// Map `n`, in order of arrival.
    pub fn get(&self, n: usize) -> impl Iterator<Item = (&str, &str)> {
        let range = self.offsets.get(n).zip(self.offsets.get(n + 1));
        let (from, to) = range.map_or((0, 0), |(from, to)| (*from as usize, *to as usize));
        (from..to).map(|at| (self.keys.get(at), self.values.get(at)))
    }

    /// Bytes in memory.
    pub fn footprint(&self) -> usize {
        self.keys.footprint() + self.values.footprint() + self.offsets.capacity() * size_of::<i32>()
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: &Maps) {
        let base = self.keys.len() as i32;
        self.keys.append(&other.keys);
        self.values.append(&other.values);
        self.offsets.extend(other.offsets[1..].iter().map(|offset| base + offset));
    }
}

/// The class column where a span is no call.
pub const NO_CLASS: u8 = u8::MAX;

/// Spans, one row each, redacted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanColumns {
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
    pub status_message: Strings,
    /// Name.
    pub name: Strings,
    /// `deployment.environment.name`.
    pub environment: Strings,
    /// `integration.name` as resolved.
    pub integration: Strings,
    /// Peer of the call, empty for a span that is none.
    pub peer: Strings,
    /// Endpoint of the call, empty for a span that is none.
    pub endpoint: Strings,
    /// Name of the instrumentation scope.
    pub scope: Strings,
    /// Attributes of the span.
    pub attributes: Maps,
    /// Attributes of the resource.
    pub resource: Maps,
    /// JSON array of {time, name, attributes}, empty where there is none.
    pub events: Strings,
    /// JSON array of {trace_id, span_id, attributes}, empty where there is none.
    pub links: Strings,
}

impl SpanColumns {
    /// How many spans.
    pub fn len(&self) -> usize {
        self.trace_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.trace_id.is_empty()
    }

    /// Bytes in memory.
    pub fn footprint(&self) -> usize {
        let texts = [&self.status_message, &self.name, &self.environment, &self.integration, &self.peer];
        let more = [&self.endpoint, &self.scope, &self.events, &self.links];
        // Ids, times and small numbers.
        let row = 16 + 2 * 8 + 3 * 8 + 3;
        texts.into_iter().chain(more).map(Strings::footprint).sum::<usize>()
            + self.attributes.footprint()
            + self.resource.footprint()
            + self.trace_id.capacity() * row
    }

    /// Adds all of another's rows.
    pub fn append(&mut self, other: &SpanColumns) {
        self.trace_id.extend_from_slice(&other.trace_id);
        self.span_id.extend_from_slice(&other.span_id);
        self.parent_span_id.extend_from_slice(&other.parent_span_id);
        self.start.extend_from_slice(&other.start);
        self.end.extend_from_slice(&other.end);
        self.received.extend_from_slice(&other.received);
        self.kind.extend_from_slice(&other.kind);
        self.status.extend_from_slice(&other.status);
        self.class.extend_from_slice(&other.class);
        self.status_message.append(&other.status_message);
        self.name.append(&other.name);
        self.environment.append(&other.environment);
        self.integration.append(&other.integration);
        self.peer.append(&other.peer);
        self.endpoint.append(&other.endpoint);
        self.scope.append(&other.scope);
        self.attributes.append(&other.attributes);
        self.resource.append(&other.resource);
        self.events.append(&other.events);
        self.links.append(&other.links);
    }
}

/// Log records, one row each, redacted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogColumns {
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
    pub severity_text: Strings,
    /// `event_name`, empty for a plain log.
    pub event_name: Strings,
    /// Body as text.
    pub body: Strings,
    /// `deployment.environment.name`.
    pub environment: Strings,
    /// `integration.name` as resolved.
    pub integration: Strings,
    /// Name of the instrumentation scope.
    pub scope: Strings,
    /// Attributes of the record.
    pub attributes: Maps,
    /// Attributes of the resource.
    pub resource: Maps,
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

    /// Bytes in memory.
    pub fn footprint(&self) -> usize {
        let texts = [&self.severity_text, &self.event_name, &self.body, &self.environment, &self.integration];
        // Ids, times and the severity.
        let row = 16 + 8 + 2 * 8 + 1;
        texts.into_iter().map(Strings::footprint).sum::<usize>()
            + self.scope.footprint()
            + self.attributes.footprint()
            + self.resource.footprint()
            + self.time.capacity() * row
    }

    /// Adds all of another's rows.
    pub fn append(&mut self, other: &LogColumns) {
        self.time.extend_from_slice(&other.time);
        self.received.extend_from_slice(&other.received);
        self.trace_id.extend_from_slice(&other.trace_id);
        self.span_id.extend_from_slice(&other.span_id);
        self.severity.extend_from_slice(&other.severity);
        self.severity_text.append(&other.severity_text);
        self.event_name.append(&other.event_name);
        self.body.append(&other.body);
        self.environment.append(&other.environment);
        self.integration.append(&other.integration);
        self.scope.append(&other.scope);
        self.attributes.append(&other.attributes);
        self.resource.append(&other.resource);
    }
}
