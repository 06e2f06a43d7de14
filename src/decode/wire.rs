//! A checked cursor over protobuf's wire format. It never reads past its bytes, and allocates only to repair text.

use std::borrow::Cow;

use super::Malformed;

/// Groups within groups that are passed over; OTLP has none, so any is an unknown field.
const GROUPS: usize = 32;

/// Walks the fields of one message.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

/// One field's payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire types 3 and 4: a group, which has been passed over.
    Group,
    /// Wire type 5.
    Fixed32(u32),
}

/// What is wrong with bytes. Small, so that reading a field well costs nothing for it; a sentence when it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The message ends inside a field.
    CutShort,
    /// A field's number is 0 or too large.
    Number,
    /// A wire type that does not exist.
    WireType(u8),
    /// An integer of more than 64 bits.
    TooLong,
    /// A group that ends and did not begin.
    GroupEnd,
    /// Groups in groups, too deep.
    Groups,
    /// A field of one kind (first) where another belongs.
    Mistyped(&'static &'static str, &'static &'static str),
}

impl From<Fault> for Malformed {
    #[cold]
    fn from(fault: Fault) -> Malformed {
        Malformed(match fault {
            Fault::CutShort => "the protobuf message is cut short".into(),
            Fault::Number => "a protobuf field has the number 0 or one too large".into(),
            Fault::WireType(other) => {
                format!("a protobuf field has the wire type {other}, which does not exist")
            }
            Fault::GroupEnd => "a protobuf group ends that did not begin".into(),
            Fault::Groups => format!("protobuf groups nest more than {GROUPS} deep"),
            Fault::TooLong => "a protobuf integer is longer than 64 bits".into(),
            Fault::Mistyped(found, wanted) => {
                format!("a protobuf field is {found} where it must be {wanted}")
            }
        })
    }
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of a message.
    pub fn new(message: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: message }
    }

    /// The next field's number and payload; none at the end.
    #[inline(always)]
    pub fn field(&mut self) -> Result<Option<(u32, Field<'a>)>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let field = match wire_type {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.fixed64()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Fault::CutShort)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(*self.take_array()?)),
            3 => self.group(number)?,
            other => return Err(wire_type_is(other)),
        };
        Ok(Some((number, field)))
    }

    #[inline(always)]
    fn tag(&mut self) -> Result<(u32, u64), Fault> {
        let tag = self.varint()?;
        if tag >> 3 == 0 || tag >> 32 != 0 {
            return Err(Fault::Number);
        }
        Ok(((tag >> 3) as u32, tag & 7))
    }

    /// Passes over a group that has begun. Each group ends with the number it began with.
    #[cold]
    fn group(&mut self, number: u32) -> Result<Field<'a>, Fault> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            match self.tag()? {
                (_, 0) => drop(self.varint()?),
                (_, 1) => drop(self.fixed64()?),
                (_, 2) => {
                    let length = usize::try_from(self.varint()?).map_err(|_| Fault::CutShort)?;
                    self.take(length)?;
                }
                (inner, 3) if open.len() < GROUPS => open.push(inner),
                (_, 3) => return Err(Fault::Groups),
                (ended, 4) if ended == *innermost => drop(open.pop()),
                (_, 5) => drop(self.take_array::<4>()?),
                (_, other) => return Err(wire_type_is(other)),
            }
        }
        Ok(Field::Group)
    }

    /// A LEB128 integer.
    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64, Fault> {
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Fault::CutShort)?;
            self.rest = rest;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::TooLong)
    }

    /// Whether all has been read.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Eight bytes.
    #[inline(always)]
    pub fn fixed64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(*self.take_array()?))
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Fault::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Field<'a> {
    /// A sub-message, or bytes.
    #[inline(always)]
    pub fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            other => Err(mistyped(other, &"length-delimited")),
        }
    }

    /// Text. Bytes that are not UTF-8 become U+FFFD: one cut character in an error message is no reason to lose the
    /// failing call that it tells of.
    #[inline(always)]
    pub fn text(self) -> Result<Cow<'a, str>, Fault> {
        let bytes = self.bytes()?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Ok(repaired(bytes)),
        }
    }

    /// A 64-bit integer or a boolean.
    #[inline(always)]
    pub fn integer(self) -> Result<u64, Fault> {
        match self {
            Field::Varint(value) => Ok(value),
            other => Err(mistyped(other, &"an integer")),
        }
    }

    /// An enum or a 32-bit integer: of what is longer, protobuf keeps the lower 32 bits.
    #[inline(always)]
    pub fn integer32(self) -> Result<u32, Fault> {
        self.integer().map(|value| value as u32)
    }

    /// A fixed64 or sfixed64.
    #[inline(always)]
    pub fn fixed(self) -> Result<u64, Fault> {
        match self {
            Field::Fixed64(value) => Ok(value),
            other => Err(mistyped(other, &"a 64-bit fixed")),
        }
    }

    /// A double.
    #[inline(always)]
    pub fn double(self) -> Result<f64, Fault> {
        self.fixed().map(f64::from_bits)
    }
}

#[cold]
fn repaired(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cold]
fn wire_type_is(wire_type: u64) -> Fault {
    if wire_type == 4 { Fault::GroupEnd } else { Fault::WireType(wire_type as u8) }
}

#[cold]
fn mistyped(found: Field<'_>, wanted: &'static &'static str) -> Fault {
    Fault::Mistyped(
        match found {
            Field::Varint(_) => &"a varint",
            Field::Fixed64(_) => &"64 fixed bits",
            Field::Bytes(_) => &"length-delimited",
            Field::Fixed32(_) => &"32 fixed bits",
            Field::Group => &"a group",
        },
        wanted,
    )
}

/// A zigzag-coded sint32.
pub fn zigzag(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Unix nanoseconds from a wire's unsigned 64 bits; what does not fit is the farthest future.
pub fn nanos(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
