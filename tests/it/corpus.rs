//! The stored corpus of the fuzz targets, replayed through the same functions in every run: the seeds, what fuzzing
//! found worth keeping, and every input that ever broke something.

use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/targets.rs"]
mod targets;

use targets::TARGETS;

use crate::differential::mutated::damaged;
use crate::support::Dice;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("a folder can be listed").path()).filter(|path| path.is_file()).collect()
}

fn replay(target: targets::Target, path: &Path) {
    let bytes = std::fs::read(path).expect("a file of the repository can be read");
    let outcome = std::panic::catch_unwind(|| target(&bytes));
    assert!(outcome.is_ok(), "{} breaks its target", path.display());
}

#[test]
fn the_stored_corpus_breaks_nothing() {
    for (name, target) in TARGETS {
        let inputs = files(&root().join("fuzz/corpus").join(name));
        assert!(!inputs.is_empty(), "{name} has no corpus; scripts/fuzz-seeds writes its seeds");
        inputs.iter().for_each(|path| replay(target, path));
    }
}

/// A little fuzzing in every run, blind but cheap; `scripts/nightly fuzz` does it with eyes.
#[test]
fn stored_inputs_that_are_damaged_break_nothing() {
    let rounds = std::env::var("SEAMWATCH_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let mut dice = Dice::thrown("stored_inputs_that_are_damaged_break_nothing");
    for (name, target) in TARGETS {
        for path in files(&root().join("fuzz/corpus").join(name)) {
            let bytes = std::fs::read(&path).expect("a file of the repository can be read");
            for _ in 0..rounds.unwrap_or(30) {
                let mut input = damaged(bytes.clone(), &mut dice);
                if dice.between(0, 4) == 0 {
                    input = damaged(input, &mut dice);
                }
                let outcome = std::panic::catch_unwind(|| target(&input));
                assert!(outcome.is_ok(), "{} damaged to {input:?} breaks {name}", path.display());
            }
        }
    }
}

#[test]
fn captured_bodies_cut_anywhere_break_nothing() {
    for path in files(&root().join("tests/data/otlp/captured")) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
        let signal = ["metrics", "logs"].into_iter().find(|signal| name.contains(signal)).unwrap_or("traces");
        let encoding = if name.ends_with(".json") { "json" } else { "protobuf" };
        let wanted = format!("{signal}_{encoding}");
        let (_, target) = TARGETS.iter().find(|(name, _)| *name == wanted).expect("a target");
        let body = std::fs::read(&path).expect("a file of the repository can be read");
        target(&body);
        // Every byte near the front, where the frames are; further on a few hundred places.
        let step = (body.len() / 300).max(1);
        for end in (0..body.len().min(600)).chain((600..body.len()).step_by(step)) {
            target(&body[..end]);
        }
    }
}

#[test]
fn every_target_is_fuzzed_and_every_fuzz_target_is_replayed() {
    let in_folder = files(&root().join("fuzz/fuzz_targets"));
    let mut in_folder: Vec<_> = in_folder.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let mut listed: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    in_folder.sort_unstable();
    listed.sort_unstable();
    assert_eq!(in_folder, listed);
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("the manifest");
    for name in listed {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} has no [[bin]]");
    }
}
