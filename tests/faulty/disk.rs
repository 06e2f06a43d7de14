//! A disk that is cut off in the middle of a write.

use std::fmt::{Debug, Formatter};
use std::io;
use std::path::Path;
use std::sync::Arc;

use seamwatch::world::files::{Disk, File, Files};

/// Asked before each write of the inbox whether this is the one.
type IsDue = Arc<dyn Fn() -> bool + Send + Sync>;

/// The real disk, until a write of the inbox that is due ends half way, and the process with it.
pub struct Torn(IsDue);

impl Torn {
    pub fn new(is_due: impl Fn() -> bool + Send + Sync + 'static) -> Torn {
        Torn(Arc::new(is_due))
    }
}

impl Debug for Torn {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Torn")
    }
}

struct TornFile(IsDue, Box<dyn File>);

impl File for TornFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if (self.0)() {
            self.1.append(bytes.get(..bytes.len() * 2 / 3).unwrap_or_default())?;
            super::end();
        }
        self.1.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.sync()
    }
}

impl Files for Torn {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        Disk.make_folder(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        Disk.list(folder)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = Disk.create(path)?;
        let is_inbox = path.extension().is_some_and(|extension| extension == "inbox");
        Ok(if is_inbox { Box::new(TornFile(self.0.clone(), file)) } else { file })
    }

    fn read(&self, path: &Path, offset: u64, most: u64) -> io::Result<Vec<u8>> {
        Disk.read(path, offset, most)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        Disk.truncate(path, length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        Disk.sync_folder(folder)
    }
}
