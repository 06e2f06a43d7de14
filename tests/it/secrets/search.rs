//! Where a text is found: in files as they lie there, in the rows of segments, in answers.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};

/// All that is searched, by where it is from.
#[derive(Default)]
pub struct Haystack(Vec<(String, Vec<u8>)>);

impl Haystack {
    /// Every file below a folder. Segments are read row by row, every column, besides their bytes.
    pub fn of_folder(folder: &Path) -> Haystack {
        let mut hay = Haystack::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                // A running server may have removed it meanwhile.
                let Ok(bytes) = std::fs::read(&path) else { continue };
                if path.extension().is_some_and(|end| end == "parquet") {
                    hay.add(&format!("rows of {}", path.display()), rows(&path).into_bytes());
                }
                hay.add(&path.display().to_string(), bytes);
            }
        }
        hay
    }

    pub fn add(&mut self, name: &str, bytes: Vec<u8>) {
        self.0.push((name.to_owned(), bytes));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, text: &str) -> bool {
        !self.found(&[&text.to_owned()]).is_empty()
    }

    /// Which of the texts are found, and where first. A text is looked for as it is and as hexadecimal digits, which is
    /// how bytes are shown.
    pub fn found<'t>(&self, texts: &[&'t String]) -> Vec<(&'t str, &str)> {
        let mut found = Vec::new();
        for (name, bytes) in &self.0 {
            let hay = String::from_utf8_lossy(bytes);
            for text in texts {
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                if hay.contains(text.as_str()) || hay.contains(&hex) {
                    found.push((text.as_str(), name.as_str()));
                }
            }
        }
        found
    }

    #[track_caller]
    pub fn holds_none(&self, texts: &[&String]) {
        let found = self.found(texts);
        assert!(found.is_empty(), "{} found: {:?}", found.len(), found.iter().take(20).collect::<Vec<_>>());
    }
}

fn rows(path: &Path) -> String {
    let file = File::open(path).expect("a segment can be opened");
    let reader = SerializedFileReader::new(file).expect("a segment is Parquet");
    let rows = reader.get_row_iter(None).expect("a segment has rows");
    rows.map(|row| format!("{}\n", row.expect("a row can be read"))).collect()
}
