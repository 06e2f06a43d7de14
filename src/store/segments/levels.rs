//! Parquet's hybrid of runs and packed bits: small numbers as levels and dictionary places are written.

use crate::rollup::latency::write_varint;

/// Numbers that are packed together.
const GROUP: usize = 8;

/// Appends numbers of `width` bits, 0 to 32.
pub fn hybrid(values: &[u32], width: u8, into: &mut Vec<u8>) {
    let mut at = 0;
    let mut packed_from = 0;
    while at < values.len() {
        let run = run_length(values, at);
        if run >= GROUP && (at - packed_from).is_multiple_of(GROUP) {
            pack(&values[packed_from..at], width, into);
            write_varint(into, (run as u64) << 1);
            let bytes = usize::from(width.div_ceil(8));
            into.extend_from_slice(&values[at].to_le_bytes()[..bytes]);
            at += run;
            packed_from = at;
        } else {
            // To the next place where a group could end, so that every run is looked at from there.
            at = (at + GROUP - (at - packed_from) % GROUP).min(values.len());
        }
    }
    pack(&values[packed_from..], width, into);
}

fn run_length(values: &[u32], from: usize) -> usize {
    let first = values[from];
    values[from..].iter().take_while(|value| **value == first).count()
}

/// One run of packed groups; the last is filled up with zeros.
fn pack(values: &[u32], width: u8, into: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(GROUP);
    write_varint(into, (groups as u64) << 1 | 1);
    if width <= 8 {
        for group in values.chunks(GROUP) {
            let place = |(at, value): (usize, &u32)| u64::from(*value) << (at * usize::from(width));
            let bits = group.iter().enumerate().map(place).fold(0, |all, one| all | one);
            into.extend_from_slice(&bits.to_le_bytes()[..usize::from(width)]);
        }
        return;
    }
    for group in values.chunks(GROUP) {
        // Eight values of up to 32 bits: a group is as many bytes as a value has bits.
        let mut halves = [0u128; 2];
        for (half, four) in halves.iter_mut().zip(group.chunks(GROUP / 2)) {
            for (at, value) in four.iter().enumerate() {
                *half |= u128::from(*value) << (at * usize::from(width));
            }
        }
        let bits = GROUP as u32 / 2 * u32::from(width);
        let low = halves[0] | halves[1].checked_shl(bits).unwrap_or(0);
        let high = if bits > 64 { halves[1] >> (128 - bits) } else { 0 };
        let bytes = [low.to_le_bytes(), high.to_le_bytes()];
        into.extend_from_slice(&bytes.as_flattened()[..usize::from(width)]);
    }
}

/// Appends the levels of a page of maps and says how many there are: `ends` = for each row the number of values up to its end,
/// after the first `from` of the column. A row without a value has a level too.
pub fn repeated(from: usize, ends: &[usize], body: &mut Vec<u8>) -> usize {
    let rows = || std::iter::once(&from).chain(ends).zip(ends).map(|(before, end)| end - before);
    let levels: usize = rows().map(|values| values.max(1)).sum();
    if levels == 0 {
        body.extend_from_slice(&[0; 8]);
        return 0;
    }
    with_length(body, |body| {
        // One run of packed bits: 0 where a row begins, 1 for each further value of it.
        write_varint(body, (levels.div_ceil(GROUP) as u64) << 1 | 1);
        let mut bits = vec![0xff; levels.div_ceil(GROUP)];
        let mut clear = |at: usize| bits[at / 8] &= !(1u8 << (at % 8));
        let mut at = 0;
        for values in rows() {
            clear(at);
            at += values.max(1);
        }
        (at..levels.next_multiple_of(GROUP)).for_each(clear);
        body.extend_from_slice(&bits);
    });
    with_length(body, |body| {
        if rows().all(|values| values > 0) {
            write_varint(body, (levels as u64) << 1);
            return body.push(1);
        }
        let there: Vec<u32> =
            rows().flat_map(|values| std::iter::repeat_n(u32::from(values > 0), values.max(1))).collect();
        hybrid(&there, 1, body);
    });
    levels
}

/// Appends what is written, behind its length.
fn with_length(body: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = body.len();
    body.extend_from_slice(&[0; 4]);
    write(body);
    let length = (body.len() - start - 4) as u32;
    body[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rollup::latency::read_varint;

    /// The format's own rules, read the slow way.
    fn read(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let head = read_varint(&mut bytes).unwrap();
            if head & 1 == 0 {
                let size = usize::from(width.div_ceil(8));
                let mut value = [0; 4];
                value[..size].copy_from_slice(&bytes[..size]);
                bytes = &bytes[size..];
                values.extend(std::iter::repeat_n(u32::from_le_bytes(value), (head >> 1) as usize));
            } else {
                let size = (head >> 1) as usize * usize::from(width);
                let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
                for at in 0..(head >> 1) as usize * GROUP {
                    let value = (0..usize::from(width)).map(|n| bit(at * usize::from(width) + n) << n).sum();
                    values.push(value);
                }
                bytes = &bytes[size..];
            }
        }
        assert!(bytes.is_empty() && values[count..].iter().all(|value| *value == 0));
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            runs in prop::collection::vec((0u32..1 << 13, 1usize..40), 0..40), width in 5u8..=32,
        ) {
            let fits = |value: u32| value & u32::MAX.checked_shr(32 - u32::from(width)).unwrap_or(0);
            let values: Vec<u32> =
                runs.iter().flat_map(|(value, n)| std::iter::repeat_n(fits(*value), *n)).collect();
            let mut bytes = Vec::new();
            hybrid(&values, width, &mut bytes);
            prop_assert_eq!(read(&bytes, width, values.len()), values);
        }

        #[test]
        fn levels_say_how_many_values_a_row_has(counts in prop::collection::vec(0usize..5, 0..50)) {
            let ends: Vec<usize> = counts.iter().scan(7, |sum, n| { *sum += n; Some(*sum) }).collect();
            let mut body = Vec::new();
            let levels = repeated(7, &ends, &mut body);
            let length = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().unwrap()) as usize;
            let repetition = read(&body[4..4 + length(0)], 1, levels);
            let definition = read(&body[8 + length(0)..], 1, levels);
            let mut seen = Vec::new();
            for (again, there) in repetition.iter().zip(&definition) {
                if *again == 0 {
                    seen.push(0);
                }
                *seen.last_mut().unwrap() += *there as usize;
            }
            prop_assert_eq!(seen, counts);
        }
    }

    #[test]
    fn one_value_needs_no_bits() {
        let mut bytes = Vec::new();
        hybrid(&[0; 20], 0, &mut bytes);
        assert_eq!(bytes, [40], "a run of twenty");
    }
}
