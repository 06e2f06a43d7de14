//! A checked cursor over protobuf's wire format. It never reads past its bytes and never allocates.

use super::Malformed;

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
    /// Wire type 5.
    Fixed32(u32),
}

fn cut_short() -> Malformed {
    Malformed("the protobuf message is cut short".into())
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
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number != 0 && *number < 1 << 29);
        let number =
            number.ok_or_else(|| Malformed("a protobuf field has the number 0 or one too large".into()))?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(*self.take_array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| cut_short())?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(*self.take_array()?)),
            other => {
                return Err(Malformed(format!(
                    "a protobuf field has the wire type {other}, which OTLP does not use"
                )));
            }
        };
        Ok(Some((number, field)))
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

    /// UTF-8 text.
    #[inline]
    pub fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a protobuf string is not UTF-8".into()))
    }

    /// An integer, an enum or a boolean.
    #[inline]
    pub fn integer(self) -> Result<u64, Malformed> {
        match self {
            Field::Varint(value) => Ok(value),
            other => Err(mistyped(other, "an integer")),
        }
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
    };
    Malformed(format!("a protobuf field is {found} where it must be {wanted}"))
}

/// A zigzag-coded integer (sint32, sint64).
pub fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Unix nanoseconds from a wire's unsigned 64 bits; what does not fit is the farthest future.
pub fn nanos(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
