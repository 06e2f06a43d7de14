//! Each check finds what is planted for it, and leaves alone what looks like it.

use super::checks::{self, Walls};
use super::source::Tree;

const WALLS: Walls = Walls(&[
    ("signals", &[]),
    ("rollup", &["signals"]),
    ("store", &["alert::incident"]),
    ("alert", &[]),
    ("main", &[]),
]);

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

fn only(problems: &[String], wanted: &[&str]) {
    assert_eq!(problems.len(), wanted.len(), "{problems:#?}");
    for (problem, wanted) in problems.iter().zip(wanted) {
        assert!(problem.contains(wanted), "{problem} does not say {wanted}");
    }
}

#[test]
fn an_import_through_a_wall_is_found_in_every_spelling() {
    let tree = tree(&[
        ("src/rollup/mod.rs", "use crate::{signals::telemetry::Nanos,\n    store::Store};\n"),
        ("src/rollup/merge.rs", "fn f() { let _ = super::super::store::open(); super::window(); }\n"),
        ("src/store/mod.rs", "use crate::alert::{incident::Incident, rule::{self, Rule}};\n"),
        (
            "src/signals/mod.rs",
            "// crate::store is not named here\nfn f() { \"crate::store\"; }\n#[cfg(test)]\nmod tests { use crate::store; }\n",
        ),
        ("src/signals/tests.rs", "use crate::store::Store;\n"),
        ("src/alert/mod.rs", "use crate::store as s;\n"),
        ("src/main.rs", "use seamwatch::signals;\n"),
        ("src/novel.rs", ""),
    ]);
    only(
        &checks::imports(&tree, &WALLS),
        &[
            "src/alert/mod.rs:1: alert may not import store",
            "src/main.rs:1: main may not import signals",
            "src/novel: has no row",
            "src/rollup/merge.rs:1: rollup may not import store::open",
            "src/rollup/mod.rs:1: rollup may not import store::Store",
            "src/store/mod.rs:1: store may not import alert::rule::Rule",
            "src/store/mod.rs:1: store may not import alert::rule::self",
        ],
    );
    only(&checks::circles(&tree), &["[\"alert\", \"store\"]"]);
}

#[test]
fn a_clock_or_a_socket_in_a_pure_module_is_found() {
    let tree = tree(&[
        (
            "src/signals/mod.rs",
            "//! tokio is not named\nfn f() -> Instant {\n    Instant::now()\n}\npub async fn g() {}\n",
        ),
        ("src/web/mod.rs", "use tokio::net::TcpListener;\n"),
        (
            "src/signals/call.rs",
            "const TEXT: &str = r#\"tokio \" sqlx\"#; const C: char = '\"'; fn f<'a>(_: &'a str) {} // sqlx\n",
        ),
    ]);
    only(
        &checks::purity(&tree, &["signals"], &["tokio", "sqlx", "Instant::now", "async fn"]),
        &[
            "src/signals/mod.rs:3: a pure module says `Instant::now`",
            "src/signals/mod.rs:5: a pure module says `async fn`",
        ],
    );
}

#[test]
fn a_page_without_its_other_halves_is_found() {
    let tree = tree(&[
        ("src/web/gate/mod.rs", "fn r() { route(get(incidents::list)); }"),
        ("src/web/incidents.rs", ""),
        ("src/web/traces.rs", ""),
        ("src/web/api/mod.rs", ""),
        ("templates/base.html", ""),
        ("templates/incident.html", ""),
        ("templates/logs.html", ""),
        ("templates/parts/row.html", ""),
        ("static/base.css", ""),
        ("static/orders.css", ""),
        ("tests/it/web/mod.rs", ""),
        ("tests/it/web/incidents.rs", ""),
    ]);
    only(
        &checks::pages(&tree, &["mod", "api", "gate"], &["base"], &["base"]),
        &[
            "src/web/traces.rs has no templates/traces.html",
            "src/web/traces.rs has no tests/it/web/traces.rs",
            "templates/logs.html belongs to no",
            "static/orders.css belongs to no",
            "routes nothing to traces",
        ],
    );
}

#[test]
fn rules_and_runbooks_that_miss_each_other_are_found() {
    let tree = tree(&[
        ("alerts/a.toml", "runbook = \"a.md\"\n"),
        ("alerts/b.toml", "runbook = \"gone.md\"\n"),
        ("alerts/c.toml", "title = \"c\"\n"),
        ("alerts/runbooks/a.md", "# a\n\n## Fix\n\n```sh\n# a comment\n```\n\n## Then\n\n## Last\n"),
        ("alerts/runbooks/lone.md", "# lone\ntext\n"),
    ]);
    only(
        &checks::runbooks(&tree),
        &[
            "gone.md, which does not exist",
            "alerts/c.toml: names no runbook",
            "a.md:9: nothing stands under \"## Then\"",
            "a.md:11: nothing",
            "lone.md: no rule",
        ],
    );
}

#[test]
fn long_files_re_exports_and_leftovers_are_found() {
    let long = format!(
        "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
        "fn a() {}\n".repeat(5),
        "    fn t() {}\n".repeat(50)
    );
    let tree = tree(&[
        ("src/short.rs", &long),
        ("src/long.rs", &"fn a() {}\n".repeat(11)),
        ("src/a.rs", "pub use b::C;\npub use_it: u8\n"),
        (
            "exporter/src/lib.rs",
            concat!(
                "fn f() { to",
                "do!() }\n// TO",
                "DO later\nconst A: &str = \"/tmp/x\";\n// https://host/tmp/x\n"
            ),
        ),
        ("exporter/Cargo.toml", "[dependencies]\nseamwatch = { path = \"..\" }\n"),
    ]);
    only(&checks::lengths(&tree, 10), &["src/long.rs: 11 lines"]);
    only(&checks::re_exports(&tree), &["src/a.rs:1"]);
    only(&checks::left_for_later(&tree), &["exporter/src/lib.rs:1", "exporter/src/lib.rs:2"]);
    only(&checks::machine_paths(&tree), &["exporter/src/lib.rs:3: names /tmp"]);
    only(&checks::exporter_stands_alone(&tree), &["exporter/Cargo.toml:2"]);
}
