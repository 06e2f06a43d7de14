//! The little that is needed of a file system to keep what was acknowledged, so that tests can make it fail.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A file system.
pub trait Files: std::fmt::Debug + Send + Sync + 'static {
    /// Makes the folder, and those above it that are missing, readable by the owner only. All are durable when it
    /// returns, the folder itself also when a run that crashed had made it.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Names and lengths of the files in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>>;
    /// Makes a file that must not exist yet, readable by the owner only.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Reads from `offset` to the end, or `most` bytes.
    fn read(&self, path: &Path, offset: u64, most: u64) -> io::Result<Vec<u8>>;
    /// Cuts a file at `length` and syncs it.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
    /// Gives a file another name in the same folder, replacing what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Deletes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations and deletions in the folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub trait File: Send {
    /// Writes all of `bytes` at the end. After an error, any part of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was appended durable (fdatasync).
    fn sync(&mut self) -> io::Result<()>;
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let missing = folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.is_dir());
        for missing in missing.collect::<Vec<_>>().into_iter().rev() {
            match builder.create(missing) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !missing.is_dir() => {
                    return Err(error);
                }
                _ => self.sync_folder(above(missing))?,
            }
        }
        match self.sync_folder(above(folder)) {
            // Who may not read the folder above did not make this one.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
        // A folder that was there already may have been made with other rights.
        #[cfg(unix)]
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                found.push((name, about.len()));
            }
        }
        Ok(found)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(DiskFile(options.open(path)?)))
    }

    fn read(&self, path: &Path, offset: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        fs::File::open(folder)?.sync_all()
    }
}

/// The folder that a path lies in.
fn above(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

struct DiskFile(fs::File);

impl File for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
