//! The repository as texts, and Rust source with its comments, its strings and its tests taken out.

use std::collections::BTreeMap;
use std::path::Path;

/// Path from the repository's root, with slashes → text.
#[derive(Default)]
pub struct Tree(pub BTreeMap<String, String>);

/// Folders that hold something to check.
const FOLDERS: &[&str] = &["src", "exporter", "templates", "static", "alerts", "tests/it"];

impl Tree {
    /// Reads the folders that exist under `root`.
    pub fn read(root: &str) -> Tree {
        let mut tree = Tree::default();
        for folder in FOLDERS {
            tree.read_folder(Path::new(root), folder);
        }
        tree
    }

    fn read_folder(&mut self, root: &Path, folder: &str) {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return };
        for entry in entries {
            let entry = entry.expect("a folder of the repository can be listed");
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.read_folder(root, &path);
            } else {
                let bytes = std::fs::read(entry.path()).expect("a file of the repository can be read");
                self.0.insert(path, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }

    /// Rust files under a folder, without files of tests.
    pub fn rust<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files(folder, ".rs").filter(|(path, _)| !is_test(path))
    }

    /// Files under a folder whose names end like this.
    pub fn files<'a>(&'a self, folder: &'a str, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let below = move |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let wanted = move |path: &str| below(path) && path.ends_with(end);
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str())).filter(move |(path, _)| wanted(path))
    }

    /// Names (without their end) of the files directly in a folder.
    pub fn names<'a>(&'a self, folder: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
        self.files(folder, end).filter_map(move |(path, _)| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(end)?;
            (!name.contains('/')).then_some(name)
        })
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Which top-level module a file of `src` belongs to, and how deep below the crate's root it stands.
pub fn module(path: &str) -> Option<(&str, usize)> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    let top = inner.split('/').next()?;
    (top != "lib").then(|| (top, inner.split('/').count()))
}

/// The source with comments and the insides of strings blanked, and without what is under `#[cfg(test)]`.
/// Lines stay lines, so that a line number found here is one of the file.
pub fn code(text: &str) -> String {
    without_tests(&blanked(text))
}

/// How many lines are no tests.
pub fn lines_without_tests(text: &str) -> usize {
    let blanked = blanked(text);
    let tests: usize =
        test_spans(&blanked).iter().map(|(from, to)| blanked[*from..*to].matches('\n').count()).sum();
    text.lines().count() - tests
}

fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of(bytes, at, b"\n").saturating_sub(1),
            b'/' if bytes[at..].starts_with(b"/*") => end_of_block_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'r' | b'b' | b'c' if !follows_word(bytes, at) => match raw_string(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            b'\'' => match end_of_char(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[at..end.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// The index after the next `needle`, else the end.
fn end_of(bytes: &[u8], from: usize, needle: &[u8]) -> usize {
    let found = bytes[from..].windows(needle.len()).position(|window| window == needle);
    found.map_or(bytes.len() + 1, |found| from + found + needle.len())
}

fn end_of_block_comment(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn raw_string(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while matches!(bytes.get(at), Some(b'b' | b'c')) {
        at += 1;
    }
    if bytes.get(at) != Some(&b'r') {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    Some(end_of(bytes, at + 2 + hashes, &close))
}

/// The end of a character literal; a lifetime is none.
fn end_of_char(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes.get(from + 1) == Some(&b'\\') {
        return Some(end_of(bytes, from + 3, b"'"));
    }
    let close = bytes[from + 1..].iter().take(5).position(|byte| *byte == b'\'')? + from + 1;
    let inside = std::str::from_utf8(&bytes[from + 1..close]).ok()?;
    (inside.chars().count() == 1).then_some(close + 1)
}

fn without_tests(blanked: &str) -> String {
    let mut out = blanked.as_bytes().to_vec();
    for (from, to) in test_spans(blanked) {
        for byte in &mut out[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// From each `#[cfg(test)]` to the end of the item under it.
fn test_spans(blanked: &str) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (from, attribute) in blanked.match_indices("#[cfg(test)]") {
        if spans.last().is_some_and(|(_, to)| from < *to) {
            continue;
        }
        spans.push((from, end_of_item(blanked, from + attribute.len())));
    }
    spans
}

fn end_of_item(blanked: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in blanked.bytes().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    blanked.len()
}

/// Every path into our own crate that the code names: (line, path from the crate's root).
/// `depth` is the file's module depth, so that `super::` is followed.
pub fn imports(code: &str, depth: usize) -> Vec<(usize, Vec<String>)> {
    let mut out = Vec::new();
    for root in ["crate", "seamwatch"] {
        for (at, _) in code.match_indices(&format!("{root}::")) {
            if !follows_path(code, at) {
                expand(code, at + root.len() + 2, &mut Vec::new(), at, &mut out);
            }
        }
    }
    let climb = "super::".repeat(depth);
    for (at, _) in code.match_indices(&climb) {
        if depth > 0 && !follows_path(code, at) && !code[at + climb.len()..].starts_with("super::") {
            expand(code, at + climb.len(), &mut Vec::new(), at, &mut out);
        }
    }
    out
}

fn follows_path(code: &str, at: usize) -> bool {
    code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
}

/// Reads a path or a tree of paths at `from`; gives where it ends.
fn expand(
    code: &str,
    from: usize,
    prefix: &mut Vec<String>,
    start: usize,
    out: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let line = code[..start].matches('\n').count() + 1;
    let mut at = skip_space(code, from);
    if !code[at..].starts_with('{') {
        let word: String = code[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if word.is_empty() {
            return at;
        }
        at += word.len();
        prefix.push(word);
        let end = if code[at..].starts_with("::") {
            let before = out.len();
            let end = expand(code, at + 2, prefix, start, out);
            if out.len() == before {
                out.push((line, prefix.clone()));
            }
            end
        } else {
            out.push((line, prefix.clone()));
            at
        };
        prefix.pop();
        return end;
    }
    loop {
        at = skip_space(code, at + 1);
        if code[at..].starts_with('}') || at >= code.len() {
            return at + 1;
        }
        at = expand(code, at, prefix, start, out);
        while !code[at..].starts_with([',', '}']) && at < code.len() {
            at += code[at..].chars().next().map_or(1, char::len_utf8);
        }
        if !code[at..].starts_with(',') {
            return at + 1;
        }
    }
}

fn skip_space(code: &str, from: usize) -> usize {
    from + code[from..].len() - code[from..].trim_start().len()
}
