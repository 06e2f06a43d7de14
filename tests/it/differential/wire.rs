//! Protobuf's wire format as plain fields, written apart from the server's cursor, and other ways to write a message.

use super::prune::{Kind, What};
use crate::support::Dice;

/// One field: its number, its wire type, and its bytes behind the tag (a length is left out).
#[derive(Clone, Debug)]
pub struct Field {
    pub number: u64,
    pub wire: u8,
    pub bytes: Vec<u8>,
}

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for nth in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if nth == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * nth);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// The fields of a message; none when its frame is broken.
pub fn fields(mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = u32::try_from(take_varint(&mut bytes)?).ok()?;
        let (number, wire) = (u64::from(tag >> 3), (tag & 7) as u8);
        if number == 0 {
            return None;
        }
        let from = bytes;
        let content = match wire {
            0 => {
                take_varint(&mut bytes)?;
                &from[..from.len() - bytes.len()]
            }
            1 => take(&mut bytes, 8)?,
            2 => {
                let length = take_varint(&mut bytes)?;
                take(&mut bytes, length)?
            }
            3 => {
                pass_group(&mut bytes, number, 0)?;
                &from[..from.len() - bytes.len()]
            }
            5 => take(&mut bytes, 4)?,
            _ => return None,
        };
        all.push(Field { number, wire, bytes: content.to_vec() });
    }
    Some(all)
}

fn pass_group(bytes: &mut &[u8], number: u64, depth: usize) -> Option<()> {
    loop {
        let tag = u32::try_from(take_varint(bytes)?).ok()?;
        let (inner, wire) = (u64::from(tag >> 3), tag & 7);
        match wire {
            0 => drop(take_varint(bytes)?),
            1 => drop(take(bytes, 8)?),
            2 => {
                let length = take_varint(bytes)?;
                take(bytes, length)?;
            }
            3 if inner > 0 && depth < 30 => pass_group(bytes, inner, depth + 1)?,
            4 => return (inner == number).then_some(()),
            5 => drop(take(bytes, 4)?),
            _ => return None,
        }
        if inner == 0 {
            return None;
        }
    }
}

pub fn bytes(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend(varint(field.number << 3 | u64::from(field.wire)));
        if field.wire == 2 {
            bytes.extend(varint(field.bytes.len() as u64));
        }
        bytes.extend(&field.bytes);
    }
    bytes
}

/// The same message written in another way that protobuf allows: fields in another order, sub-messages in pieces,
/// packed numbers one by one, values that a later one replaces, unknown fields and groups.
pub fn rewrite(kind: Kind, message: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut all = Vec::new();
    for field in fields(message).expect("what prost wrote is a message") {
        all.extend(variants(kind, field, dice));
    }
    // Neighbours of different numbers change places: the order within a number stays, which is what has a meaning.
    for _ in 0..all.len() {
        let at = dice.between(0, all.len() as u64) as usize;
        if at + 1 < all.len() && all[at].number != all[at + 1].number {
            all.swap(at, at + 1);
        }
    }
    for _ in 0..dice.between(0, 3) {
        let at = dice.between(0, all.len() as u64 + 1) as usize;
        all.insert(at, unknown(dice));
    }
    bytes(&all)
}

fn variants(kind: Kind, mut field: Field, dice: &mut Dice) -> Vec<Field> {
    let what = kind.field(field.number);
    if let (2, What::Message(inner) | What::Record(inner)) = (field.wire, what) {
        field.bytes = rewrite(inner, &field.bytes, dice);
        let parts = fields(&field.bytes).expect("what was rewritten is a message");
        if kind.is_singular(field.number) && parts.len() > 1 && dice.between(0, 2) == 0 {
            let (one, two) = parts.split_at(dice.between(1, parts.len() as u64) as usize);
            return [one, two].map(|part| Field { bytes: bytes(part), ..field.clone() }).into();
        }
    }
    if kind.is_packed(field.number) && field.wire == 2 && dice.between(0, 2) == 0 {
        return unpacked(kind, &field);
    }
    if matches!(what, What::Plain | What::Text) && !kind.is_packed(field.number) && dice.between(0, 4) == 0 {
        // A value that the next one replaces.
        let replaced = match field.wire {
            0 => Field { bytes: varint(dice.next()), ..field.clone() },
            2 => Field { bytes: b"replaced".to_vec(), ..field.clone() },
            _ => Field { bytes: dice.next().to_le_bytes()[..field.bytes.len()].to_vec(), ..field.clone() },
        };
        return vec![replaced, field];
    }
    vec![field]
}

fn unpacked(kind: Kind, field: &Field) -> Vec<Field> {
    let one = |wire: u8, bytes: Vec<u8>| Field { number: field.number, wire, bytes };
    if kind == Kind::Buckets {
        let mut rest = &field.bytes[..];
        return std::iter::from_fn(|| take_varint(&mut rest)).map(|count| one(0, varint(count))).collect();
    }
    field.bytes.chunks(8).map(|chunk| one(1, chunk.to_vec())).collect()
}

fn unknown(dice: &mut Dice) -> Field {
    let number = 100 + dice.between(0, 1_000_000);
    let end = varint(number << 3 | 4);
    match dice.between(0, 5) {
        0 => Field { number, wire: 0, bytes: varint(dice.next()) },
        1 => Field { number, wire: 1, bytes: dice.next().to_le_bytes().into() },
        2 => Field { number, wire: 2, bytes: vec![0xff; dice.between(0, 9) as usize] },
        3 => Field { number, wire: 5, bytes: vec![1, 2, 3, 4] },
        _ => {
            let inner = Field {
                number: 7,
                wire: 3,
                bytes: [bytes(&[Field { number: 1, wire: 0, bytes: vec![5] }]), varint(7 << 3 | 4)].concat(),
            };
            Field { number, wire: 3, bytes: [bytes(&[inner]), end].concat() }
        }
    }
}
