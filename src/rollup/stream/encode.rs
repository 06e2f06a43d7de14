//! A stream as the catalog keeps it: compact, and exact to the bit, since a bound that came back otherwise would be
//! another histogram.

use std::sync::Arc;

use super::Stream;
use super::memory::Memory;
use super::seen::Seen;
use super::writers::{Writer, Writers};
use crate::rollup::latency::{read_varint, write_varint};
use crate::signals::measure::{Buckets, Histogram};
use crate::signals::observation::IntegrationKey;

/// The format's number; another one is not read.
const FORMAT: u64 = 1;

/// A stream's bytes, without whose it is.
pub fn encode(stream: &Stream) -> Vec<u8> {
    let mut into = Vec::with_capacity(64);
    for number in [FORMAT, stream.series, stream.turn] {
        write_varint(&mut into, number);
    }
    for number in [stream.received_at, stream.last, stream.interval] {
        signed(&mut into, number);
    }
    into.push(u8::from(stream.ended));
    match &stream.memory {
        Memory::Level => into.push(0),
        Memory::Delta(seen) => {
            into.push(1);
            write_seen(&mut into, seen);
        }
        Memory::Running(seen, level) => {
            into.push(2);
            write_seen(&mut into, seen);
            double(&mut into, *level);
        }
        Memory::Sums(writers) => {
            into.push(3);
            write_writers(&mut into, writers, |into, total| double(into, *total));
        }
        Memory::Histograms(writers) => {
            into.push(4);
            write_writers(&mut into, writers, write_histogram);
        }
    }
    into
}

/// Reads what [`encode`] wrote; none when it is damaged.
pub fn decode(environment: &str, integration: &str, bytes: &[u8]) -> Option<Stream> {
    let from = &mut &*bytes;
    if read_varint(from)? != FORMAT {
        return None;
    }
    let integration = IntegrationKey { environment: Arc::from(environment), name: Arc::from(integration) };
    let (series, turn) = (read_varint(from)?, read_varint(from)?);
    let (received_at, last, interval) = (read_signed(from)?, read_signed(from)?, read_signed(from)?);
    let ended = byte(from)? == 1;
    let memory = match byte(from)? {
        0 => Memory::Level,
        1 => Memory::Delta(read_seen(from)?),
        2 => Memory::Running(read_seen(from)?, read_double(from)?),
        3 => Memory::Sums(read_writers(from, read_double)?),
        4 => Memory::Histograms(read_writers(from, read_histogram)?),
        _ => return None,
    };
    from.is_empty().then_some(Stream {
        integration,
        series,
        turn,
        received_at,
        last,
        interval,
        ended,
        memory,
    })
}

fn write_seen(into: &mut Vec<u8>, seen: &Seen) {
    write_varint(into, seen.latest.len() as u64);
    let mut before = 0i64;
    for (time, start) in &seen.latest {
        signed(into, time.wrapping_sub(before));
        signed(into, time.wrapping_sub(*start));
        before = *time;
    }
}

fn read_seen(from: &mut &[u8]) -> Option<Seen> {
    let mut latest = Vec::new();
    let mut before = 0i64;
    for _ in 0..read_varint(from)? {
        before = before.wrapping_add(read_signed(from)?);
        latest.push((before, before.wrapping_sub(read_signed(from)?)));
    }
    Some(Seen { latest })
}

fn write_writers<T>(into: &mut Vec<u8>, writers: &Writers<T>, total: impl Fn(&mut Vec<u8>, &T)) {
    match writers.forgotten {
        None => into.push(0),
        Some(start) => {
            into.push(1);
            signed(into, start);
        }
    }
    write_varint(into, writers.known.len() as u64);
    for writer in &writers.known {
        signed(into, writer.start);
        signed(into, writer.time);
        total(into, &writer.total);
    }
}

fn read_writers<T>(from: &mut &[u8], total: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Writers<T>> {
    let forgotten = match byte(from)? {
        0 => None,
        _ => Some(read_signed(from)?),
    };
    let mut known = Vec::new();
    for _ in 0..read_varint(from)? {
        known.push(Writer { start: read_signed(from)?, time: read_signed(from)?, total: total(from)? });
    }
    Some(Writers { known, forgotten })
}

fn write_histogram(into: &mut Vec<u8>, histogram: &Histogram) {
    write_varint(into, histogram.count);
    double(into, histogram.sum);
    for end in [histogram.min, histogram.max] {
        into.push(u8::from(end.is_some()));
        if let Some(end) = end {
            double(into, end);
        }
    }
    match &histogram.buckets {
        Buckets::Explicit { bounds, counts } => {
            into.push(0);
            write_varint(into, bounds.len() as u64);
            bounds.iter().for_each(|bound| double(into, *bound));
            write_varint(into, counts.len() as u64);
            counts.iter().for_each(|count| write_varint(into, *count));
        }
        Buckets::Exponential { scale, zero_threshold, zero, buckets } => {
            into.push(1);
            signed(into, i64::from(*scale));
            double(into, *zero_threshold);
            write_varint(into, *zero);
            write_varint(into, buckets.len() as u64);
            for (index, count) in buckets {
                signed(into, i64::from(*index));
                write_varint(into, *count);
            }
        }
    }
}

fn read_histogram(from: &mut &[u8]) -> Option<Histogram> {
    let (count, sum) = (read_varint(from)?, read_double(from)?);
    let end = |from: &mut &[u8]| match byte(from)? {
        0 => Some(None),
        _ => Some(Some(read_double(from)?)),
    };
    let (min, max) = (end(from)?, end(from)?);
    let buckets = match byte(from)? {
        0 => {
            let (mut bounds, mut counts) = (Vec::new(), Vec::new());
            for _ in 0..read_varint(from)? {
                bounds.push(read_double(from)?);
            }
            for _ in 0..read_varint(from)? {
                counts.push(read_varint(from)?);
            }
            Buckets::Explicit { bounds, counts }
        }
        _ => {
            let scale = i32::try_from(read_signed(from)?).ok()?;
            let (zero_threshold, zero) = (read_double(from)?, read_varint(from)?);
            let mut buckets = Vec::new();
            for _ in 0..read_varint(from)? {
                buckets.push((i32::try_from(read_signed(from)?).ok()?, read_varint(from)?));
            }
            Buckets::Exponential { scale, zero_threshold, zero, buckets }
        }
    };
    Some(Histogram { count, sum, min, max, buckets })
}

fn signed(into: &mut Vec<u8>, value: i64) {
    write_varint(into, ((value << 1) ^ (value >> 63)) as u64);
}

fn read_signed(from: &mut &[u8]) -> Option<i64> {
    let value = read_varint(from)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn double(into: &mut Vec<u8>, value: f64) {
    into.extend_from_slice(&value.to_le_bytes());
}

fn read_double(from: &mut &[u8]) -> Option<f64> {
    let (bytes, rest) = from.split_first_chunk::<8>()?;
    *from = rest;
    Some(f64::from_le_bytes(*bytes))
}

fn byte(from: &mut &[u8]) -> Option<u8> {
    let (&byte, rest) = from.split_first()?;
    *from = rest;
    Some(byte)
}
