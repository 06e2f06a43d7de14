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

fn cut_short() -> Malformed {
    Malformed("the protobuf message is cut short".into())
}

fn wire_type_is(wire_type: u64) -> Malformed {
    Malformed(match wire_type {
        4 => "a protobuf group ends that did not begin".into(),
        other => format!("a protobuf field has the wire type {other}, which does not exist"),
    })
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of a message.
    pub fn new(message: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: message }
    }

    /// The next field's number and payload; none at the end.
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u32, Field<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let field = match wire_type {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(*self.take_array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| cut_short())?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(*self.take_array()?)),
            3 => self.group(number)?,
            other => return Err(wire_type_is(other)),
        };
        Ok(Some((number, field)))
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u64), Malformed> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number != 0 && *number < 1 << 29);
        let number =
            number.ok_or_else(|| Malformed("a protobuf field has the number 0 or one too large".into()))?;
        Ok((number, tag & 7))
    }

    /// Passes over a group that has begun. Each group ends with the number it began with.
    #[cold]
    fn group(&mut self, number: u32) -> Result<Field<'a>, Malformed> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            match self.tag()? {
                (_, 0) => drop(self.varint()?),
                (_, 1) => drop(self.fixed64()?),
                (_, 2) => {
                    let length = usize::try_from(self.varint()?).map_err(|_| cut_short())?;
                    self.take(length)?;
                }
                (inner, 3) if open.len() < GROUPS => open.push(inner),
                (_, 3) => return Err(Malformed(format!("protobuf groups nest more than {GROUPS} deep"))),
                (ended, 4) if ended == *innermost => drop(open.pop()),
                (_, 5) => drop(self.take_array::<4>()?),
                (_, other) => return Err(wire_type_is(other)),
            }
        }
        Ok(Field::Group)
    }

    /// A LEB128 integer.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or_else(cut_short)?;
            self.rest = rest;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a protobuf integer is longer than 64 bits".into()))
    }

    /// Whether all has been read.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Eight bytes.
    pub fn fixed64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(*self.take_array()?))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Field<'a> {
    /// A sub-message, or bytes.
    #[inline]
    pub fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            other => Err(mistyped(other, "length-delimited")),
        }
    }

    /// Text. Bytes that are not UTF-8 become U+FFFD: one cut character in an error message is no reason to lose the
    /// failing call that it tells of.
    #[inline]
    pub fn text(self) -> Result<Cow<'a, str>, Malformed> {
        let bytes = self.bytes()?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Ok(String::from_utf8_lossy(bytes)),
        }
    }

    /// A 64-bit integer or a boolean.
    #[inline]
    pub fn integer(self) -> Result<u64, Malformed> {
        match self {
            Field::Varint(value) => Ok(value),
            other => Err(mistyped(other, "an integer")),
        }
    }

    /// An enum or a 32-bit integer: of what is longer, protobuf keeps the lower 32 bits.
    #[inline]
    pub fn integer32(self) -> Result<u32, Malformed> {
        self.integer().map(|value| value as u32)
    }

    /// A fixed64 or sfixed64.
    #[inline]
    pub fn fixed(self) -> Result<u64, Malformed> {
        match self {
            Field::Fixed64(value) => Ok(value),
            other => Err(mistyped(other, "a 64-bit fixed")),
        }
    }

    /// A double.
    #[inline]
    pub fn double(self) -> Result<f64, Malformed> {
        self.fixed().map(f64::from_bits)
    }
}

fn mistyped(found: Field<'_>, wanted: &str) -> Malformed {
    let found = match found {
        Field::Varint(_) => "a varint",
        Field::Fixed64(_) => "64 fixed bits",
        Field::Bytes(_) => "length-delimited",
        Field::Fixed32(_) => "32 fixed bits",
        Field::Group => "a group",
    };
    Malformed(format!("a protobuf field is {found} where it must be {wanted}"))
}

/// A zigzag-coded sint32.
pub fn zigzag(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Unix nanoseconds from a wire's unsigned 64 bits; what does not fit is the farthest future.
pub fn nanos(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
