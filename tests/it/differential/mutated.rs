//! The same message however it is written, and the same refusal of what is none.

use proptest::prelude::*;
use prost::Message;
use seamwatch::decode::Signal;

use super::prune::{Kind, prune};
use super::{SIGNALS, generate, meaning, protobuf, rewritten, wire};
use crate::support::Dice;

/// What the reference makes of a body is what we make of it, but for the differences that `prune` lists.
fn agree(signal: Signal, body: &[u8]) -> Result<(), TestCaseError> {
    let ours = protobuf(signal, body);
    let mut dropped = 0;
    let pruned = prune(Kind::Request(signal), body, &mut dropped);
    let Some(reference) = pruned.and_then(|pruned| rewritten(signal, &pruned)) else {
        prop_assert!(ours.is_err(), "the reference refuses it, we do not");
        return Ok(());
    };
    let wanted = match protobuf(signal, &reference) {
        Ok(wanted) => wanted,
        Err(problem) => {
            prop_assert!(false, "we refuse what the reference wrote: {problem}");
            return Ok(());
        }
    };
    if dropped > 0 && wanted.batch.records == 0 && wanted.rejected.count == 0 {
        prop_assert!(ours.is_err(), "nothing of it can be read");
        return Ok(());
    }
    let ours =
        ours.map_err(|problem| TestCaseError::fail(format!("the reference reads it, we say: {problem}")))?;
    prop_assert_eq!(meaning(&ours), meaning(&wanted));
    prop_assert_eq!(ours.rejected.count, wanted.rejected.count + dropped);
    Ok(())
}

/// Bytes changed, lost, doubled or put in at a few places.
pub fn damaged(mut body: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    for _ in 0..dice.between(1, 4) {
        if body.is_empty() {
            break;
        }
        let at = dice.between(0, body.len() as u64) as usize;
        match dice.between(0, 5) {
            0 => body[at] = dice.next() as u8,
            1 => body[at] ^= 1 << dice.between(0, 8),
            2 => drop(body.remove(at)),
            3 => body.insert(at, dice.next() as u8),
            _ => body.truncate(at),
        }
    }
    body
}

fn check(signal: Signal, message: &impl Message, seed: u64) -> Result<(), TestCaseError> {
    let mut dice = Dice(seed);
    let plain = message.encode_to_vec();
    agree(signal, &plain)?;
    let other = wire::rewrite(Kind::Request(signal), &plain, &mut dice);
    prop_assert_eq!(
        rewritten(signal, &other).as_deref().map(|bytes| protobuf(signal, bytes).map(|d| meaning(&d))),
        Some(protobuf(signal, &other).map(|d| meaning(&d))),
        "written another way"
    );
    for _ in 0..8 {
        agree(signal, &damaged(other.clone(), &mut dice))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn spans_written_in_any_way_are_the_same(message in generate::traces(), seed in any::<u64>()) {
        check(Signal::Traces, &message, seed)?;
    }

    #[test]
    fn points_written_in_any_way_are_the_same(message in generate::metrics(), seed in any::<u64>()) {
        check(Signal::Metrics, &message, seed)?;
    }

    #[test]
    fn logs_written_in_any_way_are_the_same(message in generate::logs(), seed in any::<u64>()) {
        check(Signal::Logs, &message, seed)?;
    }

    #[test]
    fn of_any_bytes_we_think_as_the_reference_does(body in prop::collection::vec(any::<u8>(), 0..60)) {
        for signal in SIGNALS {
            agree(signal, &body)?;
        }
    }
}

/// The bodies of the stored corpus and of real clients, whole, cut and damaged.
#[test]
fn of_stored_bodies_we_think_as_the_reference_does() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = [("traces", Signal::Traces), ("metrics", Signal::Metrics), ("logs", Signal::Logs)];
    let mut seen = 0;
    for (name, signal) in names {
        let stored = std::fs::read_dir(root.join(format!("fuzz/corpus/{name}_protobuf"))).expect("a corpus");
        let captured = std::fs::read_dir(root.join("tests/data/otlp/captured")).expect("captured bodies");
        let captured = captured.filter(|entry| {
            let file = entry.as_ref().expect("a folder can be listed").file_name();
            let file = file.to_string_lossy();
            file.ends_with(".pb") && file.contains(name)
        });
        for entry in stored.chain(captured) {
            let path = entry.expect("a folder can be listed").path();
            let body = std::fs::read(&path).expect("a file of the repository can be read");
            let say = |error: TestCaseError| panic!("{}: {error}", path.display());
            agree(signal, &body).unwrap_or_else(say);
            let mut dice = Dice(body.len() as u64);
            for _ in 0..20 {
                agree(signal, &damaged(body.clone(), &mut dice)).unwrap_or_else(say);
            }
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen} bodies");
}
