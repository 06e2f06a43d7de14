//! What the code promises about its own shape. A failure names the file and says what to do.
//!
//! The tables are here; the checks, which take a tree of texts and give sentences, are in [`checks`].

mod checks;
mod planted;
mod source;

use checks::Walls;
use source::Tree;

/// Which module may import which: a row allows exactly what stands behind it, a path allows what is below it.
const WALLS: Walls = Walls(&[
    ("clock", &["signals"]),
    ("world", &["clock"]),
    ("config", &["signals"]),
    ("telemetry", &[]),
    ("scheduler", &[]),
    ("signals", &[]),
    ("access", &["signals"]),
    ("decode", &["signals"]),
    ("rollup", &["signals"]),
    ("usual", &["signals", "rollup"]),
    ("health", &["signals", "rollup", "usual"]),
    ("alert", &["signals", "rollup", "health"]),
    ("inbox", &["world"]),
    ("receive", &["access", "decode", "signals", "inbox", "clock", "world"]),
    (
        "store",
        &[
            "access",
            "signals",
            "rollup",
            "usual",
            "health::value",
            "decode",
            "alert::incident",
            "alert::overlay",
            "world",
        ],
    ),
    ("outgoing", &[]),
    ("oidc", &["access", "outgoing", "clock", "signals"]),
    ("notify", &["signals", "rollup", "health", "alert", "store", "outgoing", "world"]),
    ("web", &["access", "oidc", "signals", "rollup", "health", "alert", "store", "clock", "world"]),
    ("pipeline", &["inbox", "decode", "signals", "rollup", "usual", "health", "alert", "store", "world"]),
    ("rules", &["alert"]),
    ("providers", &["alert", "signals"]),
    ("mappings", &["config", "signals"]),
    ("server", &["*"]),
    ("cli", &["*"]),
    ("main", &["cli"]),
]);

/// Modules that decide: no I/O, no clock, no async.
const PURE: &[&str] = &["signals", "decode", "rollup", "usual", "health", "alert"];

/// What a pure module never says.
const IMPURE: &[&str] = &[
    "tokio",
    "sqlx",
    "axum",
    "tonic",
    "lettre",
    "reqwest",
    "hyper",
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "async fn",
    "async move",
];

/// Files and folders of `src/web` that are no page.
const NOT_PAGES: &[&str] = &[
    "mod", "tests", "api", "asked", "assets", "chart", "format", "gate", "host", "live", "load", "page",
    "period", "probes", "sso", "view",
];

/// Templates that are no page of their own.
const NOT_PAGE_TEMPLATES: &[&str] = &["alone", "base", "error"];

/// Styles that belong to no page.
const NOT_PAGE_STYLES: &[&str] = &["base"];

fn tree() -> Tree {
    Tree::read(env!("CARGO_MANIFEST_DIR"))
}

fn assert_tidy(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn modules_import_only_what_the_table_allows() {
    assert_tidy(checks::imports(&tree(), &WALLS));
}

#[test]
fn modules_make_no_circle() {
    assert_tidy(checks::circles(&tree()));
}

#[test]
fn what_decides_does_no_input_output_and_knows_no_clock() {
    assert_tidy(checks::purity(&tree(), PURE, IMPURE));
}

#[test]
fn a_page_has_one_name_all_the_way_down() {
    assert_tidy(checks::pages(&tree(), NOT_PAGES, NOT_PAGE_TEMPLATES, NOT_PAGE_STYLES));
}

#[test]
fn every_rule_has_a_runbook_and_every_runbook_a_rule() {
    assert_tidy(checks::runbooks(&tree()));
}

#[test]
fn no_file_is_longer_than_400_lines() {
    assert_tidy(checks::lengths(&tree(), 400));
}

#[test]
fn nothing_is_exported_twice() {
    assert_tidy(checks::re_exports(&tree()));
}

#[test]
fn nothing_is_left_for_later() {
    assert_tidy(checks::left_for_later(&tree()));
}

#[test]
fn no_path_of_a_machine_is_in_the_code() {
    assert_tidy(checks::machine_paths(&tree()));
}

#[test]
fn the_exporter_shares_nothing_with_the_server() {
    assert_tidy(checks::exporter_stands_alone(&tree()));
}
