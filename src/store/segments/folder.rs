//! The data folder: made private, and worked on by one server at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::store::Error;
use crate::world::files::Files;

/// Makes the folder, durable and with mode 0700, and locks it for as long as the file lives.
pub fn claim(folder: &Path, files: &dyn Files) -> Result<File, Error> {
    let shown = folder.display();
    files.make_folder(folder).map_err(|error| {
        Error::Disk(format!(
            "The data folder {shown} could not be made private to this user (mode 0700): {error}. Name a folder that belongs to this user."
        ))
    })?;
    let lock = private_file(&folder.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Refused(format!(
            "Another Seamwatch server is working on the data folder {shown}. Stop it first, or name another folder."
        ))),
        Err(TryLockError::Error(error)) => Err(Error::Disk(format!(
            "The data folder {shown} could not be locked: {error}. It must be on a file system that has locks."
        ))),
    }
}

/// Opens a file for reading and writing with mode 0600, made where it is missing.
pub fn private_file(path: &Path) -> Result<File, Error> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(
        |error| {
            Error::Disk(format!(
                "The file {} could not be opened for writing: {error}. Check the owner and the space of the data folder.",
                path.display()
            ))
        },
    )
}
