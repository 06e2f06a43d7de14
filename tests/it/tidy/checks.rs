//! The checks: a tree of texts in, sentences out. An empty list is a tidy tree.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{self, Tree};

/// Module → what it may import; `*` is everything.
pub struct Walls(pub &'static [(&'static str, &'static [&'static str])]);

impl Walls {
    fn row(&self, module: &str) -> Option<&'static [&'static str]> {
        self.0.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed)
    }
}

/// (file, line, importing module, imported path), without what a module imports of itself.
fn all_imports(tree: &Tree) -> Vec<(&str, usize, &str, Vec<String>)> {
    let mut out = Vec::new();
    for (file, text) in tree.rust("src") {
        let Some((module, depth)) = source::module(file) else { continue };
        for (line, path) in source::imports(&source::code(text), depth) {
            if path.first().is_some_and(|first| *first != module && is_module(tree, first)) {
                out.push((file, line, module, path));
            }
        }
    }
    out
}

fn is_module(tree: &Tree, name: &str) -> bool {
    tree.0.contains_key(&format!("src/{name}.rs")) || tree.0.contains_key(&format!("src/{name}/mod.rs"))
}

pub fn imports(tree: &Tree, walls: &Walls) -> Vec<String> {
    let mut problems = BTreeSet::new();
    let modules = tree.rust("src").filter_map(|(file, _)| source::module(file)).map(|(module, _)| module);
    for module in modules.filter(|module| walls.row(module).is_none()) {
        problems.insert(format!(
            "src/{module}: has no row in the table of walls (tests/it/tidy.rs); add what it may import."
        ));
    }
    for (file, line, module, path) in all_imports(tree) {
        let path = path.join("::");
        let below =
            |allowed: &str| allowed == "*" || path == allowed || path.starts_with(&format!("{allowed}::"));
        if walls.row(module).is_some_and(|allowed| !allowed.iter().any(|one| below(one))) {
            problems.insert(format!(
                "{file}:{line}: {module} may not import {path}; pass it in, or move what both need."
            ));
        }
    }
    problems.into_iter().collect()
}

pub fn circles(tree: &Tree) -> Vec<String> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, _, module, path) in all_imports(tree) {
        edges.entry(module.to_owned()).or_default().extend(path.into_iter().take(1));
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(module) = open.pop() {
            for next in edges.get(&module).into_iter().flatten() {
                if next == to {
                    return true;
                }
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        false
    };
    let in_circle: Vec<&String> = edges.keys().filter(|module| reaches(module, module)).collect();
    match in_circle.as_slice() {
        [] => Vec::new(),
        _ => vec![format!("src: these modules import each other in a circle: {in_circle:?}.")],
    }
}

pub fn purity(tree: &Tree, pure: &[&str], impure: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    for (file, text) in tree.rust("src") {
        if !source::module(file).is_some_and(|(module, _)| pure.contains(&module)) {
            continue;
        }
        for (number, line) in source::code(text).lines().enumerate() {
            for word in impure.iter().filter(|word| has_word(line, word)) {
                problems.push(format!(
                    "{file}:{}: a pure module says `{word}`; take it as an argument.",
                    number + 1
                ));
            }
        }
    }
    problems
}

pub fn pages(tree: &Tree, not_pages: &[&str], not_templates: &[&str], not_styles: &[&str]) -> Vec<String> {
    let listed = |names: Vec<&str>, except: &[&str]| -> BTreeSet<String> {
        names.into_iter().filter(|name| !except.contains(name)).map(str::to_owned).collect()
    };
    let modules = listed(tree.names("src/web", ".rs").collect(), not_pages);
    let folders = tree.files("src/web", "/mod.rs").filter_map(|(path, _)| path.split('/').nth(2));
    let modules: BTreeSet<String> = modules.into_iter().chain(listed(folders.collect(), not_pages)).collect();
    let modules: BTreeSet<String> = modules.into_iter().filter(|name| !name.ends_with(".rs")).collect();
    let templates = listed(tree.names("templates", ".html").collect(), not_templates);
    let tests = listed(tree.names("tests/it/web", ".rs").collect(), &["mod"]);
    let styles = listed(tree.names("static", ".css").collect(), not_styles);
    if modules.is_empty() {
        return Vec::new();
    }
    let same_page = |names: &BTreeSet<String>, one: &str| names.iter().any(|name| noun(name) == noun(one));
    let mut problems = Vec::new();
    for page in &modules {
        if !same_page(&templates, page) {
            problems.push(format!(
                "src/web/{page}.rs has no templates/{page}.html; a file that is no page goes into NOT_PAGES."
            ));
        }
        if !tests.contains(page) {
            problems.push(format!("src/web/{page}.rs has no tests/it/web/{page}.rs."));
        }
    }
    for (kind, end, names) in
        [("templates", "html", &templates), ("static", "css", &styles), ("tests/it/web", "rs", &tests)]
    {
        for name in names.iter().filter(|name| !same_page(&modules, name)) {
            problems.push(format!("{kind}/{name}.{end} belongs to no src/web/{name}.rs."));
        }
    }
    let routes = tree.0.get("src/web/gate/mod.rs").map_or("", String::as_str);
    for page in modules.iter().filter(|page| !routes.contains(&format!("get({page}::"))) {
        problems.push(format!("src/web/gate/mod.rs routes nothing to {page}."));
    }
    problems
}

/// A page may have a template for the list and one for a single thing: `incidents.html` and `incident.html`.
fn noun(name: &str) -> &str {
    let first = name.split(['_', '-']).next().unwrap_or(name);
    first.strip_suffix('s').unwrap_or(first)
}

pub fn runbooks(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    for rule in tree.names("alerts", ".toml") {
        let file = format!("alerts/{rule}.toml");
        let table: toml::Table = match tree.0[&file].parse() {
            Ok(table) => table,
            Err(error) => {
                problems.push(format!("{file}: is no TOML: {error}"));
                continue;
            }
        };
        match table.get("runbook").and_then(toml::Value::as_str) {
            Some(runbook) if tree.0.contains_key(&format!("alerts/runbooks/{runbook}")) => {
                named.insert(runbook.to_owned());
            }
            Some(runbook) => {
                problems.push(format!("{file}: names alerts/runbooks/{runbook}, which does not exist."))
            }
            None => problems.push(format!("{file}: names no runbook.")),
        }
    }
    for (file, text) in tree.files("alerts/runbooks", ".md") {
        if !file.rsplit('/').next().is_some_and(|name| named.contains(name)) {
            problems.push(format!("{file}: no rule in alerts/ names it."));
        }
        problems.extend(empty_headings(file, text));
    }
    problems
}

fn empty_headings(file: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut open: Option<(usize, usize, &str)> = None;
    let mut fenced = false;
    let report = |open: Option<(usize, usize, &str)>| {
        open.map(|(line, _, heading)| {
            format!("{file}:{line}: nothing stands under \"{heading}\"; write it out.")
        })
    };
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if fenced || level == 0 || !line[level..].starts_with(' ') {
            open = None;
            continue;
        }
        if open.is_some_and(|(_, above, _)| level <= above) {
            problems.extend(report(open));
        }
        open = Some((number + 1, level, line));
    }
    problems.extend(report(open));
    problems
}

pub fn lengths(tree: &Tree, limit: usize) -> Vec<String> {
    let counted = tree
        .rust("src")
        .chain(tree.rust("exporter"))
        .map(|(file, text)| (file, source::lines_without_tests(text)));
    let long = counted.filter(|(_, lines)| *lines > limit);
    long.map(|(file, lines)| {
        format!("{file}: {lines} lines without its tests; split it by noun ({limit} is the limit).")
    })
    .collect()
}

pub fn re_exports(tree: &Tree) -> Vec<String> {
    find(
        tree,
        &["src"],
        |line| line.trim_start().starts_with("pub use "),
        "re-exports; name things where they live",
    )
}

pub fn left_for_later(tree: &Tree) -> Vec<String> {
    let macros = |line: &str| has_word(line, "todo!") || has_word(line, "unimplemented!");
    let mut problems =
        find(tree, &["src", "exporter"], macros, "is left for later; write it or leave it out");
    for (file, text) in
        tree.0.iter().filter(|(file, _)| !file.starts_with("static/") && !file.starts_with("tests/it/tidy"))
    {
        for (number, line) in text.lines().enumerate() {
            if ["TODO", "FIXME", "XXX"].iter().any(|word| has_word(line, word)) {
                problems.push(format!(
                    "{file}:{}: is left for later; do it, or say in the documentation what is not done.",
                    number + 1
                ));
            }
        }
    }
    problems
}

pub fn machine_paths(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for (file, text) in tree.files("src", ".rs").chain(tree.files("exporter", ".rs")) {
        for (number, line) in text.lines().enumerate() {
            for path in ["/work", "/root", "/tmp", "/home"].into_iter().filter(|path| names_path(line, path))
            {
                problems.push(format!("{file}:{}: names {path}, a path of one machine.", number + 1));
            }
        }
    }
    problems
}

pub fn exporter_stands_alone(tree: &Tree) -> Vec<String> {
    let manifest = tree.0.get("exporter/Cargo.toml").map_or("", String::as_str);
    let named = manifest.lines().enumerate().filter(|(_, line)| {
        let key = line.split('=').next().unwrap_or("").trim();
        key == "seamwatch" || key.starts_with("seamwatch.") || line.contains("path = \"..\"")
    });
    named
        .map(|(number, _)| {
            format!(
                "exporter/Cargo.toml:{}: the exporter needs no server code; OTLP is what they share.",
                number + 1
            )
        })
        .collect()
}

fn find(tree: &Tree, folders: &[&str], wanted: impl Fn(&str) -> bool, what: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for folder in folders {
        for (file, text) in tree.rust(folder) {
            let lines = source::code(text);
            let hits = lines.lines().enumerate().filter(|(_, line)| wanted(line));
            problems.extend(hits.map(|(number, _)| format!("{file}:{}: {what}.", number + 1)));
        }
    }
    problems
}

/// Whether `line` has `word` with nothing of a name on either side.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part)
    })
}

/// Whether `line` names `path` or something below it, as a path and not as the end of an address.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before_is_start = line[..at].ends_with(['"', ' ', '`', '\'', '(', '=']) || at == 0;
        let after = &line[at + path.len()..];
        before_is_start && (after.is_empty() || after.starts_with(['/', '"', ' ', '`', '\'', ')']))
    })
}
