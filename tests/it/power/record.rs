//! What was done to a data folder, and what a disk may hold of it once the power is gone.
//!
//! The model is harsher than any file system that is used: of what was not synced, each sector may be there or not,
//! and one may be torn at any byte; a name that was made, changed or removed is certain only after its folder was
//! synced; names and contents know nothing of each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::Dice;

const SECTOR: u64 = 512;

/// One operation, and the length of the record behind it.
struct Operation {
    end: u64,
    what: What,
}

enum What {
    /// Makes a file or a folder.
    Create {
        inode: Option<u64>,
        path: PathBuf,
    },
    Write {
        inode: u64,
        at: u64,
        bytes: Vec<u8>,
    },
    Cut {
        inode: u64,
        length: u64,
    },
    Sync {
        inode: u64,
    },
    SyncFolder {
        path: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
}

/// All that was done, in order.
pub struct Record {
    root: PathBuf,
    operations: Vec<Operation>,
}

impl Record {
    pub fn read(log: &Path, root: &Path) -> Record {
        let bytes = std::fs::read(log).expect("the log can be read");
        let mut operations = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let line = at + bytes[at..].iter().position(|byte| *byte == b'\n').expect("a line ends");
            let head = std::str::from_utf8(&bytes[at..line]).expect("a line is text");
            let words: Vec<&str> = head.split(' ').collect();
            let number = |n: usize| words[n].parse::<u64>().expect("a number");
            let (inode, offset, length) = (number(1), number(2), number(3) as usize);
            let path = PathBuf::from(words[4]);
            let bytes = bytes[line + 1..line + 1 + length].to_vec();
            at = line + 1 + length;
            let what = match words[0] {
                "C" => What::Create { inode: Some(inode), path },
                "M" => What::Create { inode: None, path },
                "W" => What::Write { inode, at: offset, bytes },
                "T" => What::Cut { inode, length: offset },
                "S" => What::Sync { inode },
                "D" => What::SyncFolder { path },
                "U" => What::Unlink { path },
                "R" => What::Rename { from: path, to: PathBuf::from(words[5]) },
                other => panic!("an operation {other:?}"),
            };
            operations.push(Operation { end: at as u64, what });
        }
        Record { root: root.to_owned(), operations }
    }

    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Makes `folder` what the recorded one may be when the power goes after so many operations. Gives the length of
    /// the record up to there. A disk that is not `honest` has synced no file, whatever it said, and keeps nothing.
    pub fn outage(&self, operations: usize, dice: &mut Dice, folder: &Path, honest: bool) -> u64 {
        let mut disk = Model::default();
        for operation in &self.operations[..operations] {
            if honest || !matches!(operation.what, What::Sync { .. }) {
                disk.apply(&operation.what);
            }
        }
        let keeps = if honest { [0, 30, 70, 100][dice.between(0, 4) as usize] } else { 0 };
        disk.lose(dice, keeps);
        std::fs::create_dir_all(folder).expect("a folder can be made");
        disk.lay(&self.root, folder);
        self.operations[operations - 1].end
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Cut(u64),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
enum Thing {
    File(usize),
    Folder,
}

#[derive(Default)]
struct Content {
    synced: Vec<u8>,
    waiting: Vec<Change>,
}

/// A change of names in one folder; what a rename does happens at once.
type Names = Vec<(PathBuf, Option<Thing>)>;

#[derive(Default)]
struct Model {
    contents: Vec<Content>,
    by_inode: BTreeMap<u64, usize>,
    /// As the running system sees them.
    seen: BTreeMap<PathBuf, Thing>,
    /// As the disk has them for certain.
    names: BTreeMap<PathBuf, Thing>,
    waiting: BTreeMap<PathBuf, Vec<Names>>,
}

impl Model {
    fn apply(&mut self, what: &What) {
        match what {
            What::Create { inode, path } => {
                let thing = match inode {
                    None => Thing::Folder,
                    Some(inode) => {
                        self.contents.push(Content::default());
                        self.by_inode.insert(*inode, self.contents.len() - 1);
                        Thing::File(self.contents.len() - 1)
                    }
                };
                self.rename(vec![(path.clone(), Some(thing))]);
            }
            What::Write { inode, at, bytes } => self.change(*inode, Change::Write(*at, bytes.clone())),
            What::Cut { inode, length } => self.change(*inode, Change::Cut(*length)),
            What::Sync { inode } => {
                let content = &mut self.contents[self.by_inode[inode]];
                for change in std::mem::take(&mut content.waiting) {
                    content.synced = changed(std::mem::take(&mut content.synced), &change);
                }
            }
            What::SyncFolder { path } => {
                for names in self.waiting.remove(path).unwrap_or_default() {
                    self.keep(names);
                }
            }
            What::Unlink { path } => self.rename(vec![(path.clone(), None)]),
            What::Rename { from, to } => {
                let thing = self.seen[from];
                self.rename(vec![(from.clone(), None), (to.clone(), Some(thing))]);
            }
        }
    }

    fn change(&mut self, inode: u64, change: Change) {
        // A file from before the record began would be unknown here; there is none.
        self.contents[self.by_inode[&inode]].waiting.push(change);
    }

    fn rename(&mut self, names: Names) {
        for (path, thing) in &names {
            match thing {
                Some(thing) => self.seen.insert(path.clone(), *thing),
                None => self.seen.remove(path),
            };
        }
        let folder = names[0].0.parent().expect("a name lies in a folder").to_owned();
        self.waiting.entry(folder).or_default().push(names);
    }

    fn keep(&mut self, names: Names) {
        for (path, thing) in names {
            match thing {
                Some(thing) => self.names.insert(path, thing),
                None => self.names.remove(&path),
            };
        }
    }

    /// Of all that waits, `keeps` percent reached the disk, here and there.
    fn lose(&mut self, dice: &mut Dice, keeps: u64) {
        let waiting = std::mem::take(&mut self.waiting);
        for names in waiting.into_values().flatten() {
            if dice.between(0, 100) < keeps {
                self.keep(names);
            }
        }
        for content in &mut self.contents {
            let changes = std::mem::take(&mut content.waiting);
            let last = changes.len();
            for (nth, change) in changes.into_iter().enumerate() {
                for part in sectors(change) {
                    if dice.between(0, 100) >= keeps {
                        continue;
                    }
                    let part = match part {
                        // The write that was under way may have ended inside a sector.
                        Change::Write(at, mut bytes) if nth + 1 == last && dice.between(0, 8) == 0 => {
                            bytes.truncate(dice.between(0, bytes.len() as u64 + 1) as usize);
                            Change::Write(at, bytes)
                        }
                        part => part,
                    };
                    content.synced = changed(std::mem::take(&mut content.synced), &part);
                }
            }
        }
    }

    /// Writes it all below another folder. What lies in a folder that the disk forgot is gone with it.
    fn lay(&self, root: &Path, folder: &Path) {
        // In the order of paths a folder comes before what lies in it.
        for (path, thing) in &self.names {
            let Some(target) = path.strip_prefix(root).ok().map(|below| folder.join(below)) else { continue };
            if !target.parent().is_some_and(Path::is_dir) || target == folder {
                continue;
            }
            match thing {
                Thing::Folder => std::fs::create_dir(&target),
                Thing::File(content) => std::fs::write(&target, &self.contents[*content].synced),
            }
            .expect("a copy can be made");
        }
    }
}

fn sectors(change: Change) -> Vec<Change> {
    let Change::Write(at, bytes) = change else { return vec![change] };
    let mut parts = Vec::new();
    let (mut at, mut rest) = (at, &bytes[..]);
    while !rest.is_empty() {
        let room = (SECTOR - at % SECTOR) as usize;
        let (part, more) = rest.split_at(room.min(rest.len()));
        parts.push(Change::Write(at, part.to_vec()));
        (at, rest) = (at + part.len() as u64, more);
    }
    parts
}

fn changed(mut bytes: Vec<u8>, change: &Change) -> Vec<u8> {
    match change {
        Change::Cut(length) => bytes.resize(*length as usize, 0),
        Change::Write(at, written) => {
            let end = *at as usize + written.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*at as usize..end].copy_from_slice(written);
        }
    }
    bytes
}
