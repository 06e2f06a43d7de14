//! The same message in either encoding says the same: observations, columns, and what is rejected with its words.

use proptest::prelude::*;
use prost::Message;
use seamwatch::decode::{Encoding, Signal};
use serde_json::Value;

use super::json_writer::Writer;
use super::{generate, meaning, protobuf, read};
use crate::support::Dice;

fn agree(signal: Signal, message: &impl Message, json: &Value) -> Result<(), TestCaseError> {
    let text = json.to_string();
    let from_protobuf = protobuf(signal, &message.encode_to_vec());
    let from_json = read(signal, Encoding::Json, text.as_bytes());
    let (from_protobuf, from_json) = match (from_protobuf, from_json) {
        (Ok(one), Ok(other)) => (one, other),
        (one, other) => {
            let problem = format!("{:?} but {:?} of {text}", one.err(), other.err());
            return Err(TestCaseError::fail(problem));
        }
    };
    prop_assert_eq!(meaning(&from_json), meaning(&from_protobuf), "{}", text);
    if from_json.rejected.message.contains("so nothing was read") {
        // JSON alone has names that can be written wrong.
        prop_assert_eq!((from_json.rejected.count, from_protobuf.rejected.count), (0, 0));
    } else {
        prop_assert_eq!(from_json.rejected, from_protobuf.rejected, "{}", text);
    }
    prop_assert_eq!(from_json.batch.hash.is_some(), from_protobuf.batch.hash.is_some());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn spans_say_the_same_in_json(message in generate::traces(), seed in any::<u64>()) {
        agree(Signal::Traces, &message, &Writer(Dice(seed)).traces(&message))?;
    }

    #[test]
    fn points_say_the_same_in_json(message in generate::metrics(), seed in any::<u64>()) {
        agree(Signal::Metrics, &message, &Writer(Dice(seed)).metrics(&message))?;
    }

    #[test]
    fn logs_say_the_same_in_json(message in generate::logs(), seed in any::<u64>()) {
        agree(Signal::Logs, &message, &Writer(Dice(seed)).logs(&message))?;
    }
}
