//! What is shipped: the bill of materials, the unit, and builds that take what is locked.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn names(items: &Value, field: &str) -> BTreeSet<String> {
    let items = items.as_array().expect("a list");
    items
        .iter()
        .map(|item| item[field].as_str().unwrap_or_else(|| panic!("no {field} in {item}")).to_owned())
        .collect()
}

#[test]
fn the_bill_of_materials_names_what_is_shipped_and_nothing_else() {
    let script = format!("{ROOT}/scripts/sbom");
    let run = || {
        let output = Command::new("python3").arg(&script).output().expect("Python can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let text = run();
    assert_eq!(text, run(), "the same commit gives the same file");
    let bom: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!((bom["bomFormat"].as_str(), bom["specVersion"].as_str()), (Some("CycloneDX"), Some("1.6")));
    assert_eq!(bom["metadata"]["component"]["name"], "seamwatch");
    let shipped = names(&bom["components"], "name");
    for wanted in ["ring", "rustls", "sqlx", "parquet", "seamwatch-exporter", "libsqlite3-sys"] {
        assert!(shipped.contains(wanted), "{wanted} is missing");
    }
    for test in ["rcgen", "proptest", "mail-parser"] {
        assert!(!shipped.contains(test), "{test} is only of tests");
    }
    let known = names(&bom["components"], "bom-ref");
    for one in bom["components"].as_array().expect("a list") {
        assert!(one["licenses"][0]["expression"].is_string(), "no licence: {one}");
        let is_ours = one["name"] == "seamwatch-exporter";
        assert_eq!(
            one["hashes"][0]["content"].as_str().map(str::len),
            if is_ours { None } else { Some(64) },
            "{one}"
        );
    }
    for edge in bom["dependencies"].as_array().expect("a list") {
        for on in edge["dependsOn"].as_array().expect("a list") {
            assert!(known.contains(on.as_str().expect("a reference")), "{on} is not listed");
        }
    }
}

#[test]
fn every_build_takes_what_is_locked() {
    let files = [
        "scripts/test",
        "scripts/test-env",
        "scripts/bench",
        "scripts/nightly",
        "scripts/fuzz",
        "Dockerfile",
        "README.md",
    ];
    for file in files {
        let text = std::fs::read_to_string(format!("{ROOT}/{file}"))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        // A command may go on in the next line.
        for line in text.replace("\\\n", " ").lines() {
            let builds = ["build", "test", "run", "install", "clippy", "doc"];
            let is_build = builds.iter().any(|verb| line.contains(&format!("cargo {verb} ")));
            let is_prose = file.ends_with(".md") && line.starts_with(|first: char| first.is_uppercase());
            assert!(!is_build || is_prose || line.contains("--locked"), "{file}: {line}");
        }
    }
}
