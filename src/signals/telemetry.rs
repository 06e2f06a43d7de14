//! What arrives, as borrowed records: the types that `decode` fills and every signal reads.

use std::borrow::Cow;

use super::stream::StreamKind;
use super::vocabulary::Attr;

/// Unix time in nanoseconds, UTC. Every instant in the program has this shape.
pub type Nanos = i64;

/// An attribute's value. Arrays and maps arrive as their JSON text, bytes as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value<'a> {
    /// An empty AnyValue.
    #[default]
    Empty,
    /// Text.
    Str(Cow<'a, str>),
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit float.
    Double(f64),
    /// Raw bytes.
    Bytes(Cow<'a, [u8]>),
    /// An array or a map, as JSON text.
    Json(Cow<'a, str>),
}

impl Value<'_> {
    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, also when it was sent as a string or as a whole float.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Str(text) => text.trim().parse().ok(),
            Value::Double(d) if d.fract() == 0.0 && d.abs() < 9.0e15 => Some(*d as i64),
            _ => None,
        }
    }

    /// The number, also when it was sent as a string.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Double(d) => Some(*d),
            Value::Str(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The boolean, also when it was sent as a string.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            Value::Str(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The value as a person reads it, and as it is kept in segments.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Empty => Cow::Borrowed(""),
            Value::Str(text) | Value::Json(text) => Cow::Borrowed(text),
            Value::Bool(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
            Value::Int(n) => Cow::Owned(n.to_string()),
            Value::Double(d) => Cow::Owned(d.to_string()),
            Value::Bytes(bytes) => Cow::Owned(bytes.iter().map(|b| format!("{b:02x}")).collect()),
        }
    }
}

const ABSENT: u16 = u16::MAX;

/// A list of attributes that knows at once where each name of the vocabulary stands.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    list: Vec<(Cow<'a, str>, Value<'a>)>,
    /// The reader's own numbers of (key, value), one for each attribute or none at all.
    numbers: Vec<(u32, u32)>,
    known: [u16; Attr::COUNT],
    /// Whether a header was captured: most records have none, and then nobody looks.
    captured: bool,
}

impl Default for Attributes<'_> {
    fn default() -> Self {
        Self { list: Vec::new(), numbers: Vec::new(), known: [ABSENT; Attr::COUNT], captured: false }
    }
}

impl<'a> Attributes<'a> {
    /// Adds one attribute. An old name fills its new name's place only while that is empty.
    pub fn push(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        let attr = Attr::from_wire(&key);
        self.place(&key, attr);
        self.list.push((key, value));
    }

    /// The same, by one who knows which name of the vocabulary the key is (and whether a current one), and has
    /// numbers of its own for key and value.
    #[inline]
    pub fn push_known(
        &mut self,
        key: Cow<'a, str>,
        value: Value<'a>,
        attr: Option<(Attr, bool)>,
        numbers: (u32, u32),
    ) {
        self.place(&key, attr);
        if self.numbers.len() == self.list.len() {
            self.numbers.push(numbers);
        }
        self.list.push((key, value));
    }

    /// The last attribute and its numbers; none when not all of them have some.
    pub fn latest(&self) -> Option<(&Cow<'a, str>, &Value<'a>, (u32, u32))> {
        let (key, value) = self.list.last()?;
        Some((key, value, *self.numbers()?.last()?))
    }

    /// The numbers given for each attribute; none when not all of them have some.
    pub fn numbers(&self) -> Option<&[(u32, u32)]> {
        (self.numbers.len() == self.list.len()).then_some(&self.numbers)
    }

    #[inline]
    fn place(&mut self, key: &str, attr: Option<(Attr, bool)>) {
        let Some((attr, current)) = attr else {
            self.captured |= key.starts_with("http.re") && key.contains(".header.");
            return;
        };
        if self.list.len() < ABSENT as usize && (current || self.known[attr as usize] == ABSENT) {
            self.known[attr as usize] = self.list.len() as u16;
        }
    }

    /// The value that stands for a name of the vocabulary.
    pub fn get(&self, attr: Attr) -> Option<&Value<'a>> {
        match self.known[attr as usize] {
            ABSENT => None,
            at => Some(&self.list[at as usize].1),
        }
    }

    /// The value under a name as sent, for attributes outside the vocabulary (captured headers).
    pub fn named(&self, key: &str) -> Option<&Value<'a>> {
        self.list.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// All attributes in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.list.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Forgets all, keeps the room.
    pub fn clear(&mut self) {
        self.list.clear();
        self.numbers.clear();
        self.known = [ABSENT; Attr::COUNT];
        self.captured = false;
    }

    /// Whether headers of a request or an answer are among them.
    pub fn has_headers(&self) -> bool {
        self.captured
    }
}

/// Where a record comes from: its resource and its instrumentation scope.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o, 'a> {
    /// Counts the resources of one request from 0, so that identity is resolved once for each.
    pub resource_index: usize,
    /// The resource's attributes.
    pub resource: &'o Attributes<'a>,
    /// The scope's name.
    pub scope_name: &'o str,
    /// The scope's attributes.
    pub scope: &'o Attributes<'a>,
}

/// What kind of work a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SpanKind {
    #[default]
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// A span's status code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    #[default]
    Unset,
    Ok,
    Error,
}

/// One span.
#[derive(Clone, Debug, Default)]
pub struct Span<'a> {
    /// 16 bytes, never all zero.
    pub trace_id: [u8; 16],
    /// 8 bytes, never all zero.
    pub span_id: [u8; 8],
    /// 8 bytes, all zero for a root.
    pub parent_span_id: [u8; 8],
    /// W3C tracestate as sent.
    pub trace_state: Cow<'a, str>,
    /// The span's name.
    pub name: Cow<'a, str>,
    /// Its kind.
    pub kind: SpanKind,
    /// Start.
    pub start: Nanos,
    /// End.
    pub end: Nanos,
    /// Status code.
    pub status: Status,
    /// Status message.
    pub status_message: Cow<'a, str>,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// Events in order.
    pub events: Vec<SpanEvent<'a>>,
    /// Links in order.
    pub links: Vec<SpanLink<'a>>,
}

/// An event of a span.
#[derive(Clone, Debug, Default)]
pub struct SpanEvent<'a> {
    /// When.
    pub time: Nanos,
    /// Its name (`exception`, …).
    pub name: Cow<'a, str>,
    /// Attributes.
    pub attributes: Attributes<'a>,
}

/// A link of a span.
#[derive(Clone, Debug, Default)]
pub struct SpanLink<'a> {
    /// The other trace.
    pub trace_id: [u8; 16],
    /// The other span.
    pub span_id: [u8; 8],
    /// Attributes.
    pub attributes: Attributes<'a>,
}

/// How a sum or histogram counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Temporality {
    Delta,
    Cumulative,
}

/// One data point of a metric.
#[derive(Clone, Debug)]
pub struct Point<'p, 'a> {
    /// The metric's name as sent.
    pub metric: &'p str,
    /// The metric's UCUM unit as sent.
    pub unit: &'p str,
    /// Start of what it covers, 0 when unknown.
    pub start: Nanos,
    /// Its time, never 0.
    pub time: Nanos,
    /// Attributes.
    pub attributes: &'p Attributes<'a>,
    /// The value.
    pub value: PointValue<'p>,
}

/// A data point's value.
#[derive(Clone, Debug)]
pub enum PointValue<'p> {
    /// A gauge.
    Gauge(f64),
    /// A sum.
    Sum {
        /// The value.
        value: f64,
        /// Whether it only grows.
        monotonic: bool,
        /// How it counts.
        temporality: Temporality,
    },
    /// A histogram with explicit bounds: `counts.len() == bounds.len() + 1`, or both empty.
    Histogram {
        /// Number of values.
        count: u64,
        /// Their sum.
        sum: Option<f64>,
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
        /// Bucket counts.
        counts: &'p [u64],
        /// Upper bounds, ascending.
        bounds: &'p [f64],
        /// How it counts.
        temporality: Temporality,
    },
    /// A base-2 exponential histogram.
    ExponentialHistogram {
        /// Number of values.
        count: u64,
        /// Their sum.
        sum: Option<f64>,
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
        /// Base = 2^(2^-scale).
        scale: i32,
        /// Values in the zero bucket.
        zero_count: u64,
        /// The zero bucket's width.
        zero_threshold: f64,
        /// Values in buckets below zero.
        negative: u64,
        /// Offset of the first positive bucket.
        offset: i32,
        /// Positive bucket counts.
        counts: &'p [u64],
        /// How it counts.
        temporality: Temporality,
    },
    /// A legacy summary: cumulative, and its quantiles cannot be merged.
    Summary {
        /// Number of values.
        count: u64,
        /// Their sum.
        sum: f64,
        /// (quantile, value).
        quantiles: &'p [(f64, f64)],
    },
    /// The series of this kind ended here (flag NO_RECORDED_VALUE).
    NoValue(StreamKind),
}

/// One log record.
#[derive(Clone, Debug, Default)]
pub struct Log<'a> {
    /// When it happened; the observed time when the sender gave none, 0 when neither.
    pub time: Nanos,
    /// 1–24, 0 when not given.
    pub severity: u8,
    /// Severity as sent.
    pub severity_text: Cow<'a, str>,
    /// The event's name, empty for a plain log.
    pub event_name: Cow<'a, str>,
    /// The body.
    pub body: Value<'a>,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// All zero when not given.
    pub trace_id: [u8; 16],
    /// All zero when not given.
    pub span_id: [u8; 8],
}

/// Why one record is refused, as a sentence without its subject: "no integration.queue.name".
pub type Refusal = Cow<'static, str>;
